"""Two counts that steps of event channels keep: the notices that hold a port, and a domain's ports in use.

Each is the size of a finite set of keys, which a step changes at the rows that it writes and nowhere else:
`settle` moves the sizes accordingly, once the step is done. Of sizes no more is assumed than that they are
not negative, and that a set with a member is not empty (xenproofs.symbolic.axioms, COUNTING).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from xenproofs.symbolic import terms
from xenproofs.symbolic.rows import SymbolicTable
from xenproofs.symbolic.sorts import K_DOMAIN, K_PORT, K_VCPU
from xenproofs.symbolic.terms import INT, TRUE
from xenspec.vocabulary import FREE, RESERVED

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from xenproofs.symbolic.fields import Keys
    from xenproofs.symbolic.paths import Path
    from xenproofs.symbolic.scope import Scope
    from xenproofs.symbolic.terms import Term

    Read = Callable[[str, Keys], Term]
    Member = Callable[[Read, Keys, Keys], Term]

NOTHING: Final = terms.integer(0)


class Census:
    """The sizes of both families of sets, before and after a step."""

    __slots__ = ("_path", "_scope", "_tables", "_touched", "used", "workers")

    def __init__(self, tables: Mapping[str, SymbolicTable], path: Path, scope: Scope) -> None:
        self._tables = tables
        self._path = path
        self._scope = scope
        self._touched: dict[str, dict[Keys, None]] = {"notices": {}, "ports": {}}
        self.workers = SymbolicTable("workers", (K_DOMAIN, K_PORT), {"count": INT}, path)
        """How many notices hold a port."""
        self.used = SymbolicTable("used", (K_DOMAIN,), {"count": INT}, path)
        """How many ports of a domain are in use."""
        tables["notices"].listener = self._hear("notices", ("stage", "domain", "port"))
        tables["ports"].listener = self._hear("ports", ("state",))

    def _hear(self, table: str, watched: tuple[str, ...]) -> Callable[[Keys, str, object], None]:
        def heard(keys: Keys, name: str, _: object) -> None:
            if name in watched:
                self._touched[table][keys] = None

        return heard

    # --- Members --------------------------------------------------------------------------------------------

    def _before(self, name: str, keys: Keys) -> Term:
        table, field = name.split(".")
        return terms.apply(self._tables[table].field(field).before, *keys)

    def _now(self, name: str, keys: Keys) -> Term:
        table, field = name.split(".")
        return self._tables[table].field(field).read(keys)

    # --- Sizes ----------------------------------------------------------------------------------------------

    def settle(self) -> None:
        """Move the sizes by what the step did, and assume the axioms of them."""
        for table, sizes, of in (("notices", self.workers, works), ("ports", self.used, is_used)):
            touched = list(self._touched[table])
            if touched:
                field = sizes.field("count")
                before = field.snapshot()
                field.write_where(
                    lambda _: TRUE,
                    lambda ks, b=before, t=touched, o=of: _moved(b(ks), ks, t, o, self),  # type: ignore[misc]
                )
        if any(self._touched.values()):
            for fact in self.axioms():
                self._path.assume(fact)

    def change(self, of: Member, key: Keys, of_set: Keys) -> Term:
        """Return by how much the membership of a key in a set moves the set's size."""
        was, now = of(self._before, key, of_set), of(self._now, key, of_set)
        entered = terms.choice(terms.conjunction([now, terms.negation(was)]), terms.integer(1), NOTHING)
        left = terms.choice(terms.conjunction([was, terms.negation(now)]), terms.integer(-1), NOTHING)
        return terms.plus(entered, left)

    def axioms(self) -> list[Term]:
        """Return what is assumed of the sizes as they are now."""
        one = terms.integer(1)
        workers, used = self.workers.field("count"), self.used.field("count")

        def member(n: Keys) -> Term:
            p = (self._now("notices.domain", n), self._now("notices.port", n))
            return terms.implication(works(self._now, n, p), terms.order("<=", one, workers.read(p)))

        def open_port(p: Keys) -> Term:
            return terms.implication(is_used(self._now, p, p[:1]), terms.order("<=", one, used.read(p[:1])))

        return [
            self._scope.forall((K_VCPU,), member, "census"),
            self._scope.forall((K_DOMAIN, K_PORT), open_port, "census"),
            self._scope.forall(
                (K_DOMAIN, K_PORT), lambda p: terms.order("<=", NOTHING, workers.read(p)), "census"
            ),
            self._scope.forall((K_DOMAIN,), lambda d: terms.order("<=", NOTHING, used.read(d)), "census"),
        ]


def works(read: Read, n: Keys, p: Keys) -> Term:
    """Return whether the notice of a vCPU holds a port."""
    return terms.conjunction(
        [
            terms.negation(terms.equal(read("notices.stage", n), NOTHING)),
            terms.equal(read("notices.domain", n), p[0]),
            terms.equal(read("notices.port", n), p[1]),
        ]
    )


def is_used(read: Read, p: Keys, d: Keys) -> Term:
    """Return whether a port of a domain is in use."""
    state = read("ports.state", p)
    unused = [terms.equal(state, terms.integer(int(value))) for value in (FREE, RESERVED)]
    return terms.conjunction([terms.equal(p[0], d[0]), *(terms.negation(u) for u in unused)])


def _moved(size: Term, of_set: Keys, touched: list[Keys], of: Member, census: Census) -> Term:
    """Return a set's size after a step: each touched key counts once, by whatever names it was written."""
    for number, key in enumerate(touched):
        again = terms.disjunction(
            terms.conjunction(terms.equal(a, b) for a, b in zip(key, other, strict=True))
            for other in touched[:number]
        )
        size = terms.plus(size, terms.choice(again, NOTHING, census.change(of, key, of_set)))
    return size
