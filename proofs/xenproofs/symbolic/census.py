"""Counts that steps keep beside holders of frames: notices that hold a port, ports in use, uses of grants.

Each is the size of a finite set of keys, which a step changes at the rows that it writes and nowhere else:
`settle` moves the sizes accordingly, once the step is done. Of sizes no more is assumed than that they are
not negative, and that a set with a member is not empty (xenproofs.symbolic.axioms, COUNTING).
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Final

from xenproofs.symbolic import terms
from xenproofs.symbolic.rows import SymbolicTable
from xenproofs.symbolic.sorts import (
    K_DOMAIN,
    K_FRAME,
    K_GRANT,
    K_HANDLE,
    K_PLACE,
    K_PORT,
    K_SIDE,
    K_VCPU,
    PARTS,
    VCPU,
    Kind,
)
from xenproofs.symbolic.terms import INT, TRUE
from xenspec.vocabulary import FREE, RESERVED

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from xenproofs.symbolic.fields import Field, Keys
    from xenproofs.symbolic.paths import Path
    from xenproofs.symbolic.scope import Scope
    from xenproofs.symbolic.terms import Term

    Read = Callable[[str, Keys], Term]
    Belongs = Callable[[Read, Keys], tuple[Term, Keys]]

NOTHING: Final = terms.integer(0)
ONE: Final = terms.integer(1)


@dataclass(frozen=True, slots=True)
class Source:
    """Keys of one table that may be members."""

    table: str
    kinds: tuple[Kind, ...]
    watched: tuple[str, ...]
    """The fields that decide about it."""
    belongs: Belongs
    """Takes a reader and a key; returns whether the key is a member, and of which set."""

    def member(self, read: Read, key: Keys, of_set: Keys) -> Term:
        """Return whether a key is a member of a set."""
        condition, its = self.belongs(read, key)
        return terms.conjunction([condition, *(terms.equal(a, b) for a, b in zip(its, of_set, strict=True))])


@dataclass(frozen=True, slots=True)
class Family:
    """One set for each key, and the table with their sizes."""

    table: str
    field: str
    kinds: tuple[Kind, ...]
    """Of the sets' keys."""
    sources: tuple[Source, ...]


# --- Event channels -----------------------------------------------------------------------------------------


def _works(read: Read, n: Keys) -> tuple[Term, Keys]:
    """The notice of a vCPU holds its port."""
    busy = terms.negation(terms.equal(read("notices.stage", n), NOTHING))
    return busy, (read("notices.domain", n), read("notices.port", n))


def _is_used(read: Read, p: Keys) -> tuple[Term, Keys]:
    """A port of a domain is in use."""
    state = read("ports.state", p)
    unused = [terms.equal(state, terms.integer(int(value))) for value in (FREE, RESERVED)]
    return terms.conjunction(terms.negation(u) for u in unused), p[:1]


EVENT_FAMILIES: Final = (
    Family(
        "workers",
        "count",
        (K_DOMAIN, K_PORT),
        (Source("notices", (K_VCPU,), ("stage", "domain", "port"), _works),),
    ),
    Family("used", "count", (K_DOMAIN,), (Source("ports", (K_DOMAIN, K_PORT), ("state",), _is_used),)),
)
"""How many notices hold a port, and how many ports of a domain are in use."""


# --- Grants -------------------------------------------------------------------------------------------------


def _uses(readonly: bool, table: str, part: str | None, read: Read, key: Keys) -> tuple[Term, Keys]:  # noqa: FBT001 - bound by position
    """A row uses an entry as is asked: a mapping if it is pinned, an unmapping until its flush is over."""
    parts = [] if part is None else [read(f"{table}.{part}", key)]
    if table != "unmappings":
        parts.append(read(f"{table}.pinned", key))
    of_reading = read(f"{table}.readonly", key)
    parts.append(of_reading if readonly else terms.negation(of_reading))
    return terms.conjunction(parts), (read(f"{table}.domain", key), read(f"{table}.ref", key))


def _reaches(writing: bool, table: str, read: Read, key: Keys) -> tuple[Term, Keys]:  # noqa: FBT001 - bound by position
    """A use lets processors of a domain reach a frame."""
    parts = [read(f"{table}.host", key)]
    if table != "unmappings":
        parts.append(read(f"{table}.pinned", key))
    if writing:
        parts.append(terms.negation(read(f"{table}.readonly", key)))
    first = key[0] if key[0].sort is INT else terms.apply(PARTS[VCPU, 0], key[0])
    return terms.conjunction(parts), (first, read(f"{table}.frame", key))


_ROWS: Final = {
    "mappings": ((K_DOMAIN, K_HANDLE), ("pinned", "host", "device", "readonly", "domain", "ref", "frame")),
    "unmappings": ((K_VCPU, K_PLACE), ("host", "device", "readonly", "domain", "ref", "frame")),
    "copies": ((K_VCPU, K_SIDE), ("pinned", "readonly", "domain", "ref", "frame")),
    "passed": ((K_VCPU, K_SIDE), ("pinned", "readonly", "domain", "ref", "frame")),
}
"""The tables whose rows use entries: their keys, and the fields that decide about it."""


COPIES: Final = ("copies", "passed")
"""Tables whose uses are copies': of processors, with nothing mapped."""


def _pins(name: str, part: str, *, readonly: bool) -> Family:
    """Return the uses of each entry, of one kind; a copy is one of the processor."""
    tables = ("mappings", "unmappings", *COPIES) if part == "host" else ("mappings", "unmappings")
    sources = tuple(
        Source(t, *_ROWS[t], partial(_uses, readonly, t, None if t in COPIES else part)) for t in tables
    )
    return Family("pins", name, (K_DOMAIN, K_GRANT), sources)


def _shares(name: str, *, writing: bool) -> Family:
    """Return the uses by which a domain's processors reach a frame."""
    sources = tuple(Source(t, *_ROWS[t], partial(_reaches, writing, t)) for t in ("mappings", "unmappings"))
    return Family("shares", name, (K_DOMAIN, K_FRAME), sources)


def _is_charged(read: Read, f: Keys) -> tuple[Term, Keys]:
    """A frame is its owner's, and none of Xen's own pages, which are charged to nobody."""
    return terms.negation(read("frames.special", f)), (read("frames.owner", f),)


def _is_xens(read: Read, f: Keys) -> tuple[Term, Keys]:
    """A frame is a page of Xen's own that a domain may map."""
    return read("frames.special", f), (read("frames.owner", f),)


def _is_reserved(read: Read, v: Keys) -> tuple[Term, Keys]:
    """The domain that is to have a frame was charged for it."""
    return read("transfers.reserved", v), (read("transfers.domain", v),)


_CHARGED: Final = Family(
    "charged",
    "count",
    (K_DOMAIN,),
    (
        Source("frames", (K_FRAME,), ("owner", "special"), _is_charged),
        Source("transfers", (K_VCPU,), ("reserved", "domain"), _is_reserved),
    ),
)
_XENS: Final = Family(
    "xens_pages", "count", (K_DOMAIN,), (Source("frames", (K_FRAME,), ("owner", "special"), _is_xens),)
)
GRANT_FAMILIES: Final = (
    _CHARGED,
    _XENS,
    _pins("host_writable", "host", readonly=False),
    _pins("host_readonly", "host", readonly=True),
    _pins("device_writable", "device", readonly=False),
    _pins("device_readonly", "device", readonly=True),
    _shares("readable", writing=False),
    _shares("writable", writing=True),
)
"""What a domain is charged for, and what it may map of Xen's own; how often an entry is used, by kind; how
many uses let a domain's processors reach a frame."""


class Census:
    """The sizes of all families of sets, before and after a step."""

    __slots__ = ("_path", "_scope", "_tables", "_touched", "sizes")

    def __init__(self, tables: Mapping[str, SymbolicTable], path: Path, scope: Scope) -> None:
        self._tables = tables
        self._path = path
        self._scope = scope
        self._touched: dict[str, dict[Keys, None]] = {}
        self.sizes: dict[str, SymbolicTable] = {}
        """The tables of sizes, by name."""
        families = (*EVENT_FAMILIES, *GRANT_FAMILIES)
        for name, kinds in {f.table: f.kinds for f in families}.items():
            fields = {f.field: INT for f in families if f.table == name}
            self.sizes[name] = SymbolicTable(name, kinds, fields, path)
        for source in (s for f in families for s in f.sources):
            tables[source.table].listener = self._hear(source.table, source.watched)
            tables[source.table].forgetter = partial(self._forgets, source.table)

    def _hear(self, table: str, watched: tuple[str, ...]) -> Callable[[Keys, str, object], None]:
        def heard(keys: Keys, name: str, _: object) -> None:
            if name in watched:
                self._touched.setdefault(table, {})[keys] = None

        return heard

    def _forgets(self, table: str, of_domain: Callable[[Keys], Term]) -> None:
        """Empty the sets of a domain whose rows are forgotten; claim that these were in no other's set."""
        for family in (*EVENT_FAMILIES, *GRANT_FAMILIES):
            for source in (s for s in family.sources if s.table == table):
                if family.kinds == source.kinds[:1]:
                    self.size(family).write_where(of_domain, lambda _: NOTHING)
                else:
                    self._claim_alone(source, of_domain)

    def _claim_alone(self, source: Source, of_domain: Callable[[Keys], Term]) -> None:
        def is_uncounted(key: Keys) -> Term:
            return terms.implication(of_domain(key), terms.negation(source.belongs(self.now, key)[0]))

        self._path.claim(
            "no row that is counted is forgotten", self._scope.forall(source.kinds, is_uncounted, "forgotten")
        )

    # --- Members --------------------------------------------------------------------------------------------

    def before(self, name: str, keys: Keys) -> Term:
        """Return a cell as it was before the step."""
        table, field = name.split(".")
        return terms.apply(self._tables[table].field(field).before, *keys)

    def now(self, name: str, keys: Keys) -> Term:
        """Return a cell as it is now."""
        table, field = name.split(".")
        return self._tables[table].field(field).read(keys)

    # --- Sizes ----------------------------------------------------------------------------------------------

    def size(self, family: Family) -> Field:
        """Return the sizes of a family."""
        return self.sizes[family.table].field(family.field)

    def settle(self) -> None:
        """Move the sizes by what the step did, and assume the axioms of them."""
        for families in (EVENT_FAMILIES, GRANT_FAMILIES):
            moved = [f for f in families if any(s.table in self._touched for s in f.sources)]
            for family in moved:
                size = self.size(family)
                before = size.snapshot()
                size.write_where(
                    lambda _: TRUE,
                    lambda ks, b=before, f=family: self._moved(b(ks), ks, f),  # type: ignore[misc]
                )
            for fact in self.axioms(moved):
                self._path.assume(fact)

    def _moved(self, size: Term, of_set: Keys, family: Family) -> Term:
        """Return a set's size after a step: each touched key counts once, whatever its names."""
        for source in family.sources:
            touched = list(self._touched.get(source.table, ()))
            for number, key in enumerate(touched):
                again = terms.disjunction(
                    terms.conjunction(terms.equal(a, b) for a, b in zip(key, other, strict=True))
                    for other in touched[:number]
                )
                size = terms.plus(size, terms.choice(again, NOTHING, self.change(source, key, of_set)))
        return size

    def change(self, source: Source, key: Keys, of_set: Keys) -> Term:
        """Return by how much the membership of a key in a set moves the set's size."""
        was, now = source.member(self.before, key, of_set), source.member(self.now, key, of_set)
        entered = terms.choice(terms.conjunction([now, terms.negation(was)]), ONE, NOTHING)
        left = terms.choice(terms.conjunction([was, terms.negation(now)]), terms.integer(-1), NOTHING)
        return terms.plus(entered, left)

    def axioms(self, families: Sequence[Family]) -> list[Term]:
        """Return what is assumed of the sizes as they are now."""
        members = [
            self._scope.forall(s.kinds, partial(self._counts, f, s), "census")
            for f in families
            for s in f.sources
        ]
        return members + [
            self._scope.forall(f.kinds, partial(self._is_not_negative, f), "census") for f in families
        ]

    def _counts(self, family: Family, source: Source, key: Keys) -> Term:
        condition, of_set = source.belongs(self.now, key)
        return terms.implication(condition, terms.order("<=", ONE, self.size(family).read(of_set)))

    def _is_not_negative(self, family: Family, of_set: Keys) -> Term:
        return terms.order("<=", NOTHING, self.size(family).read(of_set))
