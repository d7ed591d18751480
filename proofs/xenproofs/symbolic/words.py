"""Words as an uninterpreted sort: raw contents of frames, and the decoders as functions.

The operations on whole frames are updates with quantified meaning. What is known of the decoders are the word
axioms (xenproofs.symbolic.axioms), nothing else.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NoReturn

from xenmodel.abi.geometry import FourLevelShape, Pae
from xenproofs.symbolic import terms
from xenproofs.symbolic.fields import Field
from xenproofs.symbolic.sorts import FRAME, K_INDEX, K_SLOT, WORD, ZERO
from xenproofs.symbolic.terms import BOOL, INT, Symbol, Term
from xenproofs.symbolic.traps import SoundnessError
from xenproofs.symbolic.values import Key, Truth, lift
from xenspec.table import XEN_END_SLOT, XEN_FIRST_SLOT

if TYPE_CHECKING:
    from xenproofs.symbolic.fields import Keys
    from xenproofs.symbolic.rows import SymbolicTable
    from xenproofs.symbolic.scope import Scope
    from xenproofs.symbolic.values import Decider

PRESENT: Final = Symbol("present", (WORD,), BOOL)
WRITABLE: Final = Symbol("writable", (WORD,), BOOL)
LARGE: Final = Symbol("large", (WORD,), BOOL)
USER: Final = Symbol("user", (WORD,), BOOL)
TARGET: Final = Symbol("target", (WORD,), FRAME)
MARKED: Final = Symbol("marked", (WORD, BOOL), WORD)
ACCEPTED: Final = Symbol("accepted", (WORD,), BOOL)
STORED: Final = Symbol("stored", (WORD,), WORD)
USED: Final = Symbol("used", (WORD,), WORD)
LOADABLE: Final = Symbol("loadable", (WORD,), BOOL)
HARMLESS: Final = Symbol("harmless", (WORD,), BOOL)
XEN_WORD: Final = Symbol("xen_word", (FRAME, INT, BOOL), WORD)
"""What Xen writes into a slot of its own of a top-level table."""


WRITTEN: Final = Symbol("written_by_xen", (FRAME, INT, WORD), BOOL)
"""Whether Xen itself leaves a word in a slot of its own."""


class SymbolicXens:
    """What Xen writes into the slots of a top-level table that belong to it."""

    __slots__ = ("run",)

    def __init__(self, run: Decider) -> None:
        self.run = run

    def written(self, frame: object, slot: object, word: object) -> Truth:
        """Return whether Xen itself leaves `word` at (frame, slot)."""
        return Truth(terms.apply(WRITTEN, lift(frame, FRAME), lift(slot, INT), lift(word, WORD)), self.run)

    def own(self, frame: object, slot: object, *, shown: object) -> Key:
        """Return what Xen writes into a slot of its own, with the read-only M2P or without."""
        return Key(terms.apply(XEN_WORD, lift(frame, FRAME), lift(slot, INT), lift(shown, BOOL)), self.run)


class SymbolicPte(FourLevelShape):
    """The decoders of a page-table entry."""

    __slots__ = ("run",)

    def __init__(self, run: Decider) -> None:
        self.run = run

    def present(self, word: object) -> Truth:
        """Return whether the processor would use the entry."""
        return Truth(terms.apply(PRESENT, lift(word, WORD)), self.run)

    def writable(self, word: object) -> Truth:
        """Return whether the entry grants writing."""
        return Truth(terms.apply(WRITABLE, lift(word, WORD)), self.run)

    def large(self, word: object) -> Truth:
        """Return whether an entry above L1 names no table."""
        return Truth(terms.apply(LARGE, lift(word, WORD)), self.run)

    def user(self, word: object) -> Truth:
        """Return whether the entry lets user mode through."""
        return Truth(terms.apply(USER, lift(word, WORD)), self.run)

    def target(self, word: object) -> Key:
        """Return the frame that the entry names."""
        return Key(terms.apply(TARGET, lift(word, WORD)), self.run)

    def marked(self, word: object, *, dirty: object) -> Key:
        """Return the entry after the processor used it."""
        return Key(terms.apply(MARKED, lift(word, WORD), lift(dirty, BOOL)), self.run)


class SymbolicPae(SymbolicPte):
    """The same of PAE tables: three levels, Xen's slots in some L2 tables alone, four words at the top."""

    __slots__ = ()

    levels = Pae.levels
    kernel_is_user = Pae.kernel_is_user
    xen_level = Pae.xen_level
    xen_first = Pae.xen_first
    xen_end = Pae.xen_end
    xen_in_each = Pae.xen_in_each
    self_map = Pae.self_map
    m2p_slot = Pae.m2p_slot
    top_slot = Pae.top_slot
    changeable = Pae.changeable
    walked = Pae.walked
    linear_top = Pae.linear_top


class SymbolicDescriptors:
    """What steps and invariants ask of a descriptor."""

    __slots__ = ("run",)

    def __init__(self, run: Decider) -> None:
        self.run = run

    def accepted(self, word: object) -> Truth:
        """Return whether the descriptor may stand in a guest's table."""
        return Truth(terms.apply(ACCEPTED, lift(word, WORD)), self.run)

    def harmless(self, word: object) -> Truth:
        """Return whether the guest gains nothing by the descriptor."""
        return Truth(terms.apply(HARMLESS, lift(word, WORD)), self.run)

    def loadable(self, word: object) -> Truth:
        """Return whether ring 3 may load the descriptor, were it present."""
        return Truth(terms.apply(LOADABLE, lift(word, WORD)), self.run)

    def stored(self, word: object) -> Key:
        """Return what an accepted descriptor is stored as."""
        return Key(terms.apply(STORED, lift(word, WORD)), self.run)

    def used(self, word: object) -> Key:
        """Return the descriptor after the processor loaded it."""
        return Key(terms.apply(USED, lift(word, WORD)), self.run)


class SymbolicWords:
    """The raw contents of any number of frames."""

    __slots__ = ("field", "run", "scope")

    def __init__(self, run: Decider, scope: Scope) -> None:
        self.run = run
        self.scope = scope
        self.field = Field("words.word", (FRAME, INT), WORD)

    def __getitem__(self, key: tuple[object, object]) -> Key:
        return Key(self.field.read((lift(key[0], FRAME), lift(key[1], INT))), self.run)

    def __setitem__(self, key: tuple[object, object], word: object) -> None:
        self.field.write((lift(key[0], FRAME), lift(key[1], INT)), lift(word, WORD))

    def none_present(self, frame: object, first: object, end: object, *, top: object) -> Truth:
        """Return whether no word in slots first .. end-1 is present; `top` leaves out Xen's L4 slots."""
        f, is_top = lift(frame, FRAME), lift(top, BOOL)
        within = _between(lift(first, INT), lift(end, INT))

        def absent(keys: Keys) -> Term:
            mine = terms.negation(terms.conjunction([is_top, _XEN(keys[0])]))
            present = terms.apply(PRESENT, self.field.read((f, keys[0])))
            return terms.implication(terms.conjunction([within(keys[0]), mine]), terms.negation(present))

        return Truth(self.scope.forall((K_SLOT,), absent, "absent"), self.run)

    def all_zero(self, frame: object, first: object, end: object) -> Truth:
        """Return whether every word in slots first .. end-1 is zero."""
        f = lift(frame, FRAME)
        within = _between(lift(first, INT), lift(end, INT))

        def zero(keys: Keys) -> Term:
            return terms.implication(within(keys[0]), terms.equal(self.field.read((f, keys[0])), ZERO))

        return Truth(self.scope.forall((K_SLOT,), zero, "zero"), self.run)

    def clear(self, frame: object) -> None:
        """Make every word of the frame zero."""
        f = lift(frame, FRAME)
        self.field.write_where(lambda ks: terms.equal(ks[0], f), lambda _: ZERO)

    def clear_pages(self, pages: SymbolicTable, domain: object, count: object) -> None:
        """Make every word of the frames zero that are a domain's pages 0 .. count-1."""
        owner, frame, end = lift(domain, INT), pages.field("frame").snapshot(), lift(count, INT)

        def is_page(keys: Keys) -> Term:
            def is_another(index: Keys) -> Term:
                within = _between(terms.integer(0), end)(index[0])
                same = terms.equal(frame((owner, *index)), keys[0])
                return terms.negation(terms.conjunction([within, same]))

            return terms.negation(self.scope.forall((K_INDEX,), is_another, "page"))

        self.field.write_where(is_page, lambda _: ZERO)

    def copy(self, target: object, source: object) -> None:
        """Make the words of `target` equal to those of `source`."""
        t, s = lift(target, FRAME), lift(source, FRAME)
        now = self.field.snapshot()
        self.field.write_where(lambda ks: terms.equal(ks[0], t), lambda ks: now((s, ks[1])))

    def write_xen_slots(self, frame: object, slots: object, *, readonly_m2p: object) -> None:
        """Overwrite the L4 slots that belong to Xen."""
        del slots
        f, shown = lift(frame, FRAME), lift(readonly_m2p, BOOL)
        self.field.write_where(
            lambda ks: terms.conjunction([terms.equal(ks[0], f), _XEN(ks[1])]),
            lambda ks: terms.apply(XEN_WORD, f, ks[1], shown),
        )

    def write_readonly_m2p(self, frame: object, slots: object, *, shown: object) -> None:
        """Write or empty the L4 slot of the read-only M2P."""
        del slots
        f, slot = lift(frame, FRAME), terms.integer(XEN_FIRST_SLOT)
        self.field.write((f, slot), terms.apply(XEN_WORD, f, slot, lift(shown, BOOL)))

    def holds_xen_slots(self, frame: object, slots: object) -> Truth:
        """Return whether the slots that belong to Xen are as Xen writes them."""
        del slots
        f = lift(frame, FRAME)

        def written(keys: Keys) -> Term:
            word = self.field.read((f, keys[0]))
            return terms.implication(_XEN(keys[0]), terms.apply(WRITTEN, f, keys[0], word))

        return Truth(self.scope.forall((K_SLOT,), written, "xens"), self.run)

    def next_present(self, frame: object, slot: object) -> NoReturn:
        """Refuse: a step does not search."""
        raise SoundnessError(f"a step searches frame {frame!r} from {slot!r}: searching is a hypercall's")

    next_nonzero = last_present = next_present


def _between(first: Term, end: Term) -> _Range:
    return _Range(first, end)


class _Range:
    """Slots first .. end-1."""

    __slots__ = ("end", "first")

    def __init__(self, first: Term, end: Term) -> None:
        self.first = first
        self.end = end

    def __call__(self, slot: Term) -> Term:
        return terms.conjunction([terms.order("<=", self.first, slot), terms.order("<", slot, self.end)])


_XEN: Final = _between(terms.integer(XEN_FIRST_SLOT), terms.integer(XEN_END_SLOT))
