"""The listed axioms, and `assume`'s only callers: facts that a proof uses without proving them by induction.

Each counting axiom speaks of one finite set of holders S and its size n; it is instantiated where a holder
comes or goes, and checked with exact cardinalities in tests/engine. Each word axiom speaks of the decoders of
xenmodel.abi and is proved on 64-bit vectors over these very functions (xenproofs.obligations.bitlevel).
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Final

from xenproofs.symbolic import terms
from xenproofs.symbolic.sorts import K_FRAME, K_SLOT, K_WORD, ZERO
from xenproofs.symbolic.words import (
    ACCEPTED,
    HARMLESS,
    LARGE,
    LOADABLE,
    MARKED,
    PRESENT,
    STORED,
    TARGET,
    USED,
    USER,
    WRITABLE,
    WRITTEN,
    XEN_WORD,
)
from xenspec.table import XEN_FIRST_SLOT

if TYPE_CHECKING:
    from collections.abc import Callable

    from xenproofs.symbolic.fields import Keys
    from xenproofs.symbolic.paths import Path
    from xenproofs.symbolic.scope import Scope
    from xenproofs.symbolic.sorts import Kind
    from xenproofs.symbolic.terms import Term


@dataclass(frozen=True, slots=True)
class Axiom:
    """A fact that is assumed, in words."""

    name: str
    sentence: str


COUNTING: Final = (
    Axiom("size not negative", "n ≥ 0."),
    Axiom("member counts", "r ∈ S ⇒ n ≥ 1."),
    Axiom("count has a member", "n ≥ 1 ⇒ w ∈ S for some w."),
    Axiom("sole member", "n = 1 ∧ r ∈ S ⇒ every member of S is r."),
)
"""`a member more or less moves n by one` is how the ghost count is written (xenproofs.symbolic.ghost)."""


@dataclass(frozen=True, slots=True)
class CountedSet:
    """A set that the ghost counts, as it is at one moment."""

    member: Callable[[Keys], Term]
    size: Term
    fresh: Keys
    """Constants used nowhere else, of the members' sorts."""
    kinds: tuple[Kind, ...]


def assume_counting(path: Path, counted: CountedSet, element: Keys, scope: Scope) -> None:
    """Instantiate the counting axioms for a set and one element of interest."""
    member, size = counted.member, counted.size
    one = terms.integer(1)
    inside = member(element)

    def same(keys: Keys) -> Term:
        pairs = zip(keys, element, strict=True)
        return terms.implication(member(keys), terms.conjunction(terms.equal(a, b) for a, b in pairs))

    only = terms.conjunction([terms.equal(size, one), inside])
    instances = {
        "size not negative": terms.order("<=", terms.integer(0), size),
        "member counts": terms.implication(inside, terms.order("<=", one, size)),
        "count has a member": terms.implication(terms.order("<=", one, size), member(counted.fresh)),
        "sole member": terms.implication(only, scope.forall(counted.kinds, same, "sole")),
    }
    for axiom in COUNTING:
        if axiom.name not in path.disabled:
            path.assume(instances[axiom.name])


@dataclass(frozen=True, slots=True)
class Family:
    """A counted set for each frame, in the state before a step."""

    kinds: tuple[Kind, ...]
    """Of the members."""
    member: Callable[[Keys], Term]
    """Takes the frame and the member."""
    size: Callable[[Term], Term]
    witness: tuple[terms.Symbol, ...]
    """Functions that name some member of each frame's set."""


def counting_background(scope: Scope, family: Family, disabled: frozenset[str]) -> list[Term]:
    """Return the counting axioms for each frame's set in the state before the step."""
    one = terms.integer(1)
    arity = len(family.kinds)

    def member_of(f: Term) -> Term:
        return family.member((f, *(terms.apply(w, f) for w in family.witness)))

    def sole(ks: Keys) -> Term:
        f, left, right = ks[0], ks[1 : 1 + arity], ks[1 + arity :]
        both = [terms.equal(family.size(f), one), family.member((f, *left)), family.member((f, *right))]
        same = terms.conjunction(terms.equal(a, b) for a, b in zip(left, right, strict=True))
        return terms.implication(terms.conjunction(both), same)

    def counts(ks: Keys) -> Term:
        return terms.implication(family.member(ks), terms.order("<=", one, family.size(ks[0])))

    def has(ks: Keys) -> Term:
        return terms.implication(terms.order("<=", one, family.size(ks[0])), member_of(ks[0]))

    def least(ks: Keys) -> Term:
        return terms.order("<=", terms.integer(0), family.size(ks[0]))

    each: tuple[tuple[tuple[Kind, ...], Callable[[Keys], Term]], ...] = (
        ((K_FRAME,), least),
        ((K_FRAME, *family.kinds), counts),
        ((K_FRAME,), has),
        ((K_FRAME, *family.kinds, *family.kinds), sole),
    )
    chosen = [pair for axiom, pair in zip(COUNTING, each, strict=True) if axiom.name not in disabled]
    return [scope.forall(kinds, body, "set") for kinds, body in chosen]


# --- Words ----------------------------------------------------------------------------------------------


def _unchanged_by_use(decoder: terms.Symbol, dirty: Term, word: Term) -> Term:
    used = terms.apply(MARKED, word, dirty)
    return terms.equal(terms.apply(decoder, used), terms.apply(decoder, word))


def word_axioms(scope: Scope, disabled: frozenset[str] = frozenset()) -> list[tuple[Axiom, Term]]:
    """Return the facts about decoders, quantified over words."""

    def every(body: Callable[[Term], Term]) -> Term:
        return scope.forall((K_WORD,), lambda keys: body(keys[0]), "word")

    facts: list[tuple[Axiom, Term]] = []
    for dirty in (terms.TRUE, terms.FALSE):
        label = "with" if dirty is terms.TRUE else "without"
        for decoder in (PRESENT, WRITABLE, LARGE, TARGET):
            name = f"using an entry, {label} a store, leaves `{decoder.name}`"
            fact = every(partial(_unchanged_by_use, decoder, dirty))
            facts.append((Axiom(name, f"{decoder.name}(marked(w)) = {decoder.name}(w)."), fact))
    for name, sentence, body in _DESCRIPTOR_FACTS:
        facts.append((Axiom(name, sentence), every(body)))
    empty = terms.conjunction([terms.negation(terms.apply(PRESENT, ZERO)), _is_stored_form(ZERO)])
    facts.append((Axiom("an empty word", "Zero is not present, and a stored descriptor."), empty))
    for shown in (terms.TRUE, terms.FALSE):
        name = f"Xen's words, {'with' if shown is terms.TRUE else 'without'} the read-only map"
        own = scope.forall((K_FRAME, K_SLOT), partial(_written_by_xen, shown), "own")
        facts.append((Axiom(name, "What Xen writes into its slots is written by Xen."), own))
        name = f"Xen's words in use, {'with' if shown is terms.TRUE else 'without'} a store"
        used = scope.forall((K_FRAME, K_SLOT, K_WORD), partial(_still_xens, shown), "xens")
        facts.append((Axiom(name, "Xen's own words have their accessed and dirty bits set."), used))
    window = scope.forall((K_FRAME, K_SLOT, K_WORD), _a_window_is_read_only, "window")
    name = "Xen's words for user mode"
    facts.append((Axiom(name, "Of Xen's slots only the M2P's lets user mode through, read-only."), window))
    return [(axiom, fact) for axiom, fact in facts if axiom.name not in disabled]


def _is_stored_form(w: Term) -> Term:
    """Return whether a word is a descriptor that Xen accepts, in the form in which it stores it."""
    return terms.conjunction([terms.apply(ACCEPTED, w), terms.equal(terms.apply(STORED, w), w)])


def _stored_is_harmless(w: Term) -> Term:
    return terms.implication(_is_stored_form(w), terms.apply(HARMLESS, w))


def _stored_is_final(w: Term) -> Term:
    return terms.implication(terms.apply(ACCEPTED, w), _is_stored_form(terms.apply(STORED, w)))


def _loading_keeps(w: Term) -> Term:
    loaded = terms.conjunction([_is_stored_form(w), terms.apply(LOADABLE, w)])
    return terms.implication(loaded, _is_stored_form(terms.apply(USED, w)))


def _using_keeps(dirty: Term, w: Term) -> Term:
    return terms.implication(_is_stored_form(w), _is_stored_form(terms.apply(MARKED, w, dirty)))


def _written_by_xen(shown: Term, keys: Keys) -> Term:
    f, slot = keys
    return terms.apply(WRITTEN, f, slot, terms.apply(XEN_WORD, f, slot, shown))


def _still_xens(dirty: Term, keys: Keys) -> Term:
    f, slot, w = keys
    used = terms.apply(MARKED, w, dirty)
    return terms.implication(terms.apply(WRITTEN, f, slot, w), terms.apply(WRITTEN, f, slot, used))


def _a_window_is_read_only(keys: Keys) -> Term:
    f, slot, w = keys
    first = terms.equal(slot, terms.integer(XEN_FIRST_SLOT))
    read_only = terms.negation(terms.apply(WRITABLE, w))
    shown = terms.conjunction([terms.apply(WRITTEN, f, slot, w), terms.apply(USER, w)])
    return terms.implication(shown, terms.conjunction([first, read_only]))


_DESCRIPTOR_FACTS: Final = (
    ("a stored descriptor is harmless", "stored form(w) ⇒ harmless(w).", _stored_is_harmless),
    ("storing is final", "accepted(w) ⇒ stored form(stored(w)).", _stored_is_final),
    ("loading keeps the stored form", "stored form(w) ∧ loadable(w) ⇒ stored form(used(w)).", _loading_keeps),
    (
        "a store through keeps the stored form",
        "stored form(w) ⇒ stored form(marked(w, dirty)).",
        partial(_using_keeps, terms.TRUE),
    ),
    (
        "a walk keeps the stored form",
        "stored form(w) ⇒ stored form(marked(w)).",
        partial(_using_keeps, terms.FALSE),
    ),
)
