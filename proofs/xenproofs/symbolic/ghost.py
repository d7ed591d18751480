"""Ghost holders: who holds each frame, and how many; beside the real counts, which these never move.

That each real count equals its ghost count is an invariant. That a holder is new when it comes and present
when it goes are obligations of the step. Facts about sizes are instances of the listed axioms, at these
moments only. Linear links are counted likewise, by listening to what steps write into `entries.linear`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from xenproofs.symbolic import terms
from xenproofs.symbolic.axioms import CountedSet, Family, assume_counting, counting_background
from xenproofs.symbolic.fields import Field
from xenproofs.symbolic.sorts import FLIGHT, FRAME, K_FRAME, K_REF, K_SLOT, REF, VCPU
from xenproofs.symbolic.terms import BOOL, INT, Sort, Term
from xenproofs.symbolic.traps import ConstantError
from xenproofs.symbolic.values import Number, Truth, Value, lift
from xenspec.vocabulary import SLOTS

if TYPE_CHECKING:
    from collections.abc import Callable

    from xenproofs.symbolic.fields import Keys
    from xenproofs.symbolic.paths import Path
    from xenproofs.symbolic.rows import SymbolicTable
    from xenproofs.symbolic.scope import Scope

HOLDERS: Final[dict[str, tuple[Sort, ...]]] = {
    "entry": (FRAME, INT),
    "pin": (FRAME,),
    "base": (VCPU, INT),
    "old": (VCPU,),
    "partial": (FRAME,),
    "gdt": (VCPU, INT),
    "ldt": (VCPU, INT),
    "vcpu_info": (VCPU,),
    "event_frame": (INT, INT),
    "eoi_frame": (INT,),
    "device_map": (INT, INT),
    "unmapped_host": (VCPU, INT),
    "unmapped_device": (VCPU, INT),
    "copy_side": (VCPU, INT),
    "grant_frame": (INT, INT),
    "status_frame": (INT, INT),
    "allocated": (FRAME,),
    "flight": (FLIGHT,),
    "other": (INT,),
}
"""Constructors of Ref (xenproofs.symbolic.sorts), by the first member of a holder's tuple."""


def reference(holder: object) -> Term:
    """Return the term of a holder, given as xenmodel.memory.holders names it."""
    if isinstance(holder, Value):
        return lift(holder, REF)
    if not isinstance(holder, tuple):
        raise ConstantError(f"{holder!r} is no holder")
    kind, first, second = _three(holder)  # pyright: ignore[reportUnknownArgumentType]
    sorts = HOLDERS[kind]
    return terms.interpreted(
        f"r_{kind}", REF, *(lift(v, s) for v, s in zip((first, second), sorts, strict=False))
    )


def _three(holder: tuple[object, ...]) -> tuple[str, object, object]:
    kind, first, second = holder
    return str(kind), first, second


class HeldTable:
    """`s.held[frame, holder]`: what one holder has of one frame."""

    __slots__ = ("ghost",)

    def __init__(self, ghost: SymbolicGhost) -> None:
        self.ghost = ghost

    def __getitem__(self, key: tuple[object, object]) -> HeldRow:
        return HeldRow(self.ghost, (lift(key[0], FRAME), reference(key[1])))


class HeldRow:
    """A row of `HeldTable`."""

    __slots__ = ("ghost", "keys")

    def __init__(self, ghost: SymbolicGhost, keys: Keys) -> None:
        self.ghost = ghost
        self.keys = keys

    @property
    def typed(self) -> Truth:
        """A type reference."""
        return Truth(self.ghost.typed.read(self.keys), self.ghost.path)

    @property
    def general(self) -> Truth:
        """A general reference."""
        return Truth(self.ghost.general.read(self.keys), self.ghost.path)


class CountsTable:
    """`s.counts[frame]`: how many holders and linear links a frame has."""

    __slots__ = ("ghost",)

    def __init__(self, ghost: SymbolicGhost) -> None:
        self.ghost = ghost

    def __getitem__(self, frame: object) -> CountsRow:
        return CountsRow(self.ghost, lift(frame, FRAME))


class CountsRow:
    """A row of `CountsTable`."""

    __slots__ = ("_frame", "_ghost")

    def __init__(self, ghost: SymbolicGhost, frame: Term) -> None:
        self._ghost = ghost
        self._frame = frame

    def __getattr__(self, name: str) -> Number:
        return Number(self._ghost.counts[name].read((self._frame,)), self._ghost.path)


class SymbolicGhost:
    """Holder sets of any number of frames."""

    __slots__ = ("_fresh", "counts", "general", "path", "scope", "typed")

    def __init__(self, path: Path, scope: Scope) -> None:
        self.path = path
        self.scope = scope
        self.typed = Field("held.typed", (FRAME, REF), BOOL)
        self.general = Field("held.general", (FRAME, REF), BOOL)
        self.counts = {
            name: Field(f"counts.{name}", (FRAME,), INT) for name in ("typed", "general", "own", "uses")
        }
        self._fresh = 0

    @property
    def fields(self) -> list[Field]:
        """Return every ghost field."""
        return [self.typed, self.general, *self.counts.values()]

    def take(
        self, frame: object, holder: tuple[str, object, object], *, typed: object, general: object
    ) -> None:
        """Add a holder; that it is new is an obligation."""
        f, r = lift(frame, FRAME), reference(holder)
        for name, held, flag in self._chosen(typed, general):
            self._claim(f"{name} holder is new", flag, terms.negation(held.read((f, r))))
            self._assume(name, held, f, r)
            held.write((f, r), terms.choice(flag, terms.TRUE, held.read((f, r))))
            self._move_count(name, f, flag, 1)

    def drop(
        self, frame: object, holder: tuple[str, object, object], *, typed: object, general: object
    ) -> None:
        """Remove a holder; that it is there is an obligation."""
        f, r = lift(frame, FRAME), reference(holder)
        for name, held, flag in self._chosen(typed, general):
            self._claim(f"{name} holder is present", flag, held.read((f, r)))
            self._assume(name, held, f, r)
            held.write((f, r), terms.choice(flag, terms.FALSE, held.read((f, r))))
            self._move_count(name, f, flag, -1)
            self._assume(name, held, f, r)

    def move(
        self,
        frame: object,
        source: tuple[str, object, object],
        target: tuple[str, object, object],
        *,
        typed: object,
        general: object,
    ) -> None:
        """Rename a holder: the old one is there, the new one is new, the count stays."""
        f, old, new = lift(frame, FRAME), reference(source), reference(target)
        for name, held, flag in self._chosen(typed, general):
            self._claim(f"{name} holder is present", flag, held.read((f, old)))
            self._assume(name, held, f, old)
            held.write((f, old), terms.choice(flag, terms.FALSE, held.read((f, old))))
            self._claim(f"{name} holder is new", flag, terms.negation(held.read((f, new))))
            held.write((f, new), terms.choice(flag, terms.TRUE, held.read((f, new))))

    def counted_sets(self, entries: SymbolicTable) -> list[Term]:
        """Return the counting axioms of every set as it is now, for all frames at once."""
        found: list[Term] = []
        for name, held in (("typed", self.typed), ("general", self.general)):
            witness = terms.Symbol(f"member_{name}", (FRAME,), REF)
            found += counting_background(
                self.scope,
                Family((K_REF,), held.read, lambda f, n=name: self.counts[n].read((f,)), (witness,)),  # type: ignore[misc]
                self.path.disabled,
            )
        linear, target = entries.field("linear"), entries.field("target")
        slot = terms.Symbol("member_own", (FRAME,), INT)
        own = Family(
            (K_SLOT,),
            lambda ks: _linear_at(linear.read, ks),
            lambda f: self.counts["own"].read((f,)),
            (slot,),
        )
        pair = (
            terms.Symbol("member_use_table", (FRAME,), FRAME),
            terms.Symbol("member_use_slot", (FRAME,), INT),
        )
        uses = Family(
            (K_FRAME, K_SLOT),
            lambda ks: terms.conjunction(
                [_linear_at(linear.read, ks[1:]), terms.equal(target.read(ks[1:]), ks[0])]
            ),
            lambda f: self.counts["uses"].read((f,)),
            pair,
        )
        for family in (own, uses):
            found += counting_background(self.scope, family, self.path.disabled)
        return found

    def watch_links(self, entries: SymbolicTable, note_link: Callable[[Keys, object], None]) -> None:
        """Keep the counts of linear links from what is written, and tell of each link."""

        def heard(keys: Keys, name: str, value: object) -> None:
            if name == "linked":
                note_link(keys, value)
            if name == "linear":
                self._relink(entries, keys, lift(value, BOOL))
            if name == "target":
                linear = entries.field("linear").read(keys)
                same = terms.equal(entries.field("target").read(keys), lift(value, FRAME))
                self.path.claim(
                    "a linear entry keeps its target", terms.disjunction([terms.negation(linear), same])
                )

        entries.listener = heard

    def _relink(self, entries: SymbolicTable, keys: Keys, value: Term) -> None:
        """Move the two counts of linear links when an entry becomes or ceases to be one."""
        before, target = entries.field("linear").snapshot(), entries.field("target").snapshot()
        f, was = target(keys), before(keys)
        if value is was:
            return
        fresh = (self._constant(INT), self._constant(FRAME), self._constant(INT))
        t = keys[0]
        own = CountedSet(
            lambda ks: _linear_at(before, (t, *ks)), self.counts["own"].read((t,)), (fresh[0],), (K_SLOT,)
        )
        into = CountedSet(
            lambda ks: terms.conjunction([_linear_at(before, ks), terms.equal(target(ks), f)]),
            self.counts["uses"].read((f,)),
            fresh[1:],
            (K_FRAME, K_SLOT),
        )
        assume_counting(self.path, own, (keys[1],), self.scope)
        assume_counting(self.path, into, keys, self.scope)
        for field, at in ((self.counts["own"], t), (self.counts["uses"], f)):
            step = _indicator(value, terms.negation(was)), _indicator(terms.negation(value), was)
            moved = terms.plus(field.read((at,)), terms.plus(step[0], terms.times(-1, step[1])))
            field.write((at,), moved)

    def _chosen(self, typed: object, general: object) -> list[tuple[str, Field, Term]]:
        flags = (("typed", self.typed, lift(typed, BOOL)), ("general", self.general, lift(general, BOOL)))
        return [(name, held, flag) for name, held, flag in flags if flag is not terms.FALSE]

    def _claim(self, name: str, flag: Term, formula: Term) -> None:
        self.path.claim(name, terms.implication(flag, formula))

    def _move_count(self, name: str, f: Term, flag: Term, by: int) -> None:
        field = self.counts[name]
        moved = terms.plus(field.read((f,)), terms.integer(by))
        field.write((f,), terms.choice(flag, moved, field.read((f,))))

    def _assume(self, name: str, held: Field, f: Term, r: Term) -> None:
        now = held.snapshot()
        counted = CountedSet(
            lambda ks: now((f, *ks)), self.counts[name].read((f,)), (self._constant(REF),), (K_REF,)
        )
        assume_counting(self.path, counted, (r,), self.scope)

    def _constant(self, sort: Sort) -> Term:
        self._fresh += 1
        return terms.symbol(f"witness_{self._fresh}", sort)


def _linear_at(linear: Callable[[Keys], Term], keys: Keys) -> Term:
    """Return whether the entry is linear: a slot beyond the frame's end is none."""
    least, end = terms.integer(0), terms.integer(SLOTS)
    inside = [terms.order("<=", least, keys[1]), terms.order("<", keys[1], end)]
    return terms.conjunction([linear(keys), *inside])


def _indicator(*conditions: Term) -> Term:
    return terms.choice(terms.conjunction(conditions), terms.integer(1), terms.integer(0))
