"""Facts about real 64-bit words, over the functions of xenmodel.abi themselves.

The word axioms (xenproofs.symbolic.axioms) are proved here, and what Xen's adjustments must never do. Each
fact holds for every one of the 2^64 words.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from xenmodel.abi import descriptor, pte
from xenproofs.solvers.verdict import Verdict, script
from xenproofs.symbolic import terms
from xenproofs.symbolic.bitvectors import BITS, meaning, word_literal
from xenproofs.symbolic.terms import BOOL, Term, interpreted, symbol
from xenspec.memory.descriptors import harmless

if TYPE_CHECKING:
    from collections.abc import Callable

    from xenproofs.obligations.deciding import Solver

W: Final = symbol("w", BITS)
OLD: Final = symbol("old", BITS)
RING_3: Final = 3


@dataclass(frozen=True, slots=True)
class Fact:
    """One fact of every word."""

    name: str
    formula: Term
    axiom: bool = False
    """The proofs of steps use it."""


def _masked(word: Term, mask: int) -> Term:
    return interpreted("bvand", BITS, word, word_literal(mask))


def _clear(word: Term, mask: int) -> Term:
    return terms.equal(_masked(word, mask), word_literal(0))


def _same(function: Callable[..., object], one: Term, two: Term) -> Term:
    return terms.equal(meaning(function, one), meaning(function, two))


def _stored_form(w: Term) -> Term:
    return terms.conjunction([meaning(descriptor.accepted, w), terms.equal(meaning(descriptor.stored, w), w)])


def _marked(*, dirty: bool) -> Term:
    return meaning(pte.marked, W, dirty=dirty)


def axioms() -> list[Fact]:
    """Return the word axioms, each over the functions that it speaks of."""
    found: list[Fact] = []
    decoders = (*_DECODERS, ("large", pte.large))
    for dirty in (True, False):
        used = _marked(dirty=dirty)
        label = "with" if dirty else "without"
        found += [
            Fact(f"using an entry, {label} a store, leaves `{name}`", _same(f, used, W), axiom=True)
            for name, f in decoders
        ]
        keeps = terms.implication(_stored_form(W), _stored_form(used))
        found.append(
            Fact(f"{'a store through' if dirty else 'a walk'} keeps the stored form", keeps, axiom=True)
        )
    loaded = terms.conjunction([_stored_form(W), meaning(descriptor.loadable, W)])
    after = _stored_form(meaning(descriptor.used, W))
    accepted = meaning(descriptor.accepted, W)
    zero = word_literal(0)
    empty = terms.conjunction([terms.negation(meaning(pte.present, zero)), _stored_form(zero)])
    return [
        *found,
        Fact(
            "a stored descriptor is harmless",
            terms.implication(_stored_form(W), meaning(harmless, W)),
            axiom=True,
        ),
        Fact(
            "storing is final",
            terms.implication(accepted, _stored_form(meaning(descriptor.stored, W))),
            axiom=True,
        ),
        Fact("loading keeps the stored form", terms.implication(loaded, after), axiom=True),
        Fact("an empty word", empty, axiom=True),
    ]


def adjustments() -> list[Fact]:
    """Return that what Xen makes of an entry grants no writing that the guest did not ask for."""
    read_only = _clear(W, pte.RW)
    found: list[Fact] = []
    for level in (1, 2, 3, 4):
        after = _adjusted(level)
        found += [
            Fact(
                f"adjusting at level {level} adds no write permission",
                terms.implication(read_only, _clear(after, pte.RW)),
            ),
            Fact(f"adjusting at level {level} leaves `present`", _same(pte.present, after, W)),
            Fact(f"adjusting at level {level} leaves `target`", _same(pte.target, after, W)),
        ]
    for readonly in (True, False):
        after = meaning(pte.io_adjusted, W, readonly=readonly)
        name = "read-only" if readonly else "ordinary"
        found.append(
            Fact(
                f"{name} I/O: no write permission is added",
                terms.implication(read_only, _clear(after, pte.RW)),
            )
        )
        found.append(Fact(f"{name} I/O: the target stays", _same(pte.target, after, W)))
    found.append(
        Fact("read-only I/O is mapped read-only", _clear(meaning(pte.io_adjusted, W, readonly=True), pte.RW))
    )
    kept = meaning(pte.with_accessed_dirty_of, W, OLD)
    found += [Fact(f"keeping accessed and dirty leaves `{n}`", _same(f, kept, W)) for n, f in _DECODERS]
    found.append(_bits_kept(kept))
    fast = meaning(pte.same_but_for_fast_path, OLD, W)
    found += [
        Fact(f"the fast path leaves `{n}`", terms.implication(fast, _same(f, OLD, W))) for n, f in _DECODERS
    ]
    return found


def _bits_kept(kept: Term) -> Fact:
    """Return that an update that keeps the accessed and dirty bits keeps those of both words."""
    both = interpreted("bvor", BITS, _masked(W, pte.ACCESSED_DIRTY), _masked(OLD, pte.ACCESSED_DIRTY))
    name = "keeping accessed and dirty loses neither the old bits nor the new"
    return Fact(name, terms.equal(_masked(kept, pte.ACCESSED_DIRTY), both))


_DECODERS: Final = (("present", pte.present), ("writable", pte.writable), ("target", pte.target))


def _adjusted(level: int) -> Term:
    def at_level(word: int) -> int:
        return pte.adjusted(word, level)

    return meaning(at_level, W)


def shapes() -> list[Fact]:
    """Return what entries and descriptors look like."""
    forty = interpreted("bvult", BOOL, meaning(pte.target, W), word_literal(1 << pte.FRAME_BITS))
    stored = meaning(descriptor.stored, W)
    absent = _clear(stored, descriptor.PRESENT)
    ring_3 = terms.equal(_masked(stored, descriptor.DPL_MASK), word_literal(descriptor.DPL_MASK))
    segment = terms.negation(_clear(stored, descriptor.CODE_OR_DATA))
    gate = terms.conjunction(
        [
            terms.negation(segment),
            terms.disjunction([_clear(stored, descriptor.DPL_MASK), _clear(stored, descriptor.TYPE_MASK)]),
        ]
    )
    shape = terms.disjunction([absent, terms.conjunction([segment, ring_3]), gate])
    accepted = meaning(descriptor.accepted, W)
    return [
        Fact("a target fits 40 bits", forty),
        Fact(
            "an accepted descriptor is stored absent, in ring 3, or as a gate for ring 0",
            terms.implication(accepted, shape),
        ),
        Fact(
            "an accepted descriptor is stored harmless",
            terms.implication(accepted, meaning(harmless, stored)),
        ),
    ]


def facts() -> list[Fact]:
    """Return every bit-level fact."""
    return [*axioms(), *adjustments(), *shapes()]


def prove_fact(fact: Fact, solver: Solver) -> bool:
    """Return whether the solver proves the fact for every word."""
    return solver.ask(script([terms.negation(fact.formula)])).verdict is Verdict.UNSAT
