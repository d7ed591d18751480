"""Facts about 32-bit indices, over the functions of xenmodel.abi.ring themselves, for every value of them.

The counters of which indices are the low 32 bits never wrap in a fact (they have 37 bits), so that a fact
says what the arithmetic of indices means. Each has altered twins, which are not facts: a solver refutes them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, NoReturn

from xenmodel.abi import ring
from xenproofs.obligations.ring_values import Index, formula, fresh, within
from xenproofs.solvers.verdict import Verdict, script
from xenproofs.symbolic import terms
from xenproofs.symbolic.traps import SoundnessError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from xenproofs.obligations.deciding import Solver
    from xenproofs.symbolic.terms import Term

MASK: Final = ring.INDEX_MASK
MODULUS: Final = MASK + 1
LARGEST: Final = 1 << 31
"""More slots than any ring has."""
FAR: Final = 1 << 37
"""Counters stay below: indices wrap thirty-two times."""


@dataclass(frozen=True, slots=True)
class RingFact:
    """One fact of every index, or an altered one that is none."""

    name: str
    formula: Term
    holds: bool = True


class Straight:
    """No function of indices decides anything: they are formulas."""

    def decide(self, condition: Term, /) -> NoReturn:
        """Refuse to choose a side."""
        raise SoundnessError(f"a branch on {condition}")


RUN: Final = Straight()


def _counter(name: str) -> Index:
    return fresh(name, RUN)


def _low(counter: Index) -> Index:
    return counter & MASK


def _fact(name: str, premises: Sequence[object], conclusion: object, *, holds: bool = True) -> RingFact:
    every = terms.conjunction([formula(p) if not isinstance(p, terms.Term) else p for p in premises])
    return RingFact(name, terms.implication(every, formula(conclusion)), holds)


def _iff(one: object, two: object) -> Term:
    left, right = formula(one), formula(two)
    return terms.conjunction([terms.implication(left, right), terms.implication(right, left)])


def _symbolic(function: Callable[..., object]) -> Callable[..., Index]:
    """Return a function of the model as one of symbolic indices."""

    def apply(*arguments: Index | int) -> Index:
        value = function(*arguments)
        if not isinstance(value, Index):
            raise SoundnessError(f"{function} gave {value!r}")
        return value

    return apply


distance, successor, slot_of, free_requests = (
    _symbolic(f) for f in (ring.distance, ring.successor, ring.slot_of, ring.free_requests)
)


def _question(function: Callable[..., object]) -> Callable[..., object]:
    return function


crossed, overflows = _question(ring.crossed), _question(ring.overflows)


def distances() -> list[RingFact]:
    """Return what the distance of two indices means."""
    new, old = _counter("new"), _counter("old")
    known = [within(new, 0, FAR), within(old, 0, FAR)]
    apart = new - old
    told = distance(_low(new), _low(old))
    return [
        _fact("a distance is that of the counters", [*known, within(apart, 0, MASK)], told == apart),
        _fact("a distance has 32 bits", known, (told >= 0) & (told <= MASK)),
        _fact("a step forward is a distance of one", known, distance(successor(_low(old)), _low(old)) == 1),
        _fact(
            "the last index is followed by the first", [formula(_low(old) == MASK)], successor(_low(old)) == 0
        ),
        _fact(
            "altered: a distance over more than 2^32",
            [*known, within(apart, 0, MODULUS)],
            told == apart,
            holds=False,
        ),
        _fact(
            "altered: a distance that is not masked",
            [*known, within(apart, 0, MASK)],
            _low(new) - _low(old) == apart,
            holds=False,
        ),
    ]


def notifications() -> list[RingFact]:
    """Return that the peer is told exactly if the item that it waits for is among the new ones."""
    new, old, event = _counter("new"), _counter("old"), _counter("event")
    known = [within(c, 0, FAR) for c in (new, old, event)] + [within(new - old, 0, LARGEST)]
    behind, before = new - event, event - old
    window = [*known, formula(behind < MODULUS), formula(before <= MODULUS)]
    said = crossed(_low(new), _low(old), _low(event))
    reached = (old < event) & (event <= new)

    def told(name: str, premises: list[Term], one: object, two: object, *, holds: bool = False) -> RingFact:
        return RingFact(name, terms.implication(terms.conjunction(premises), _iff(one, two)), holds)

    late = crossed(_low(new), _low(old), successor(_low(event)))
    plain = (_low(old) < _low(event)) & (_low(event) <= _low(new))
    soft = distance(_low(new), _low(event)) <= distance(_low(new), _low(old))
    return [
        told("the condition for a notification is exact", window, said, reached, holds=True),
        told("altered: with <= for <", window, soft, reached),
        told("altered: the event one off", window, late, reached),
        told("altered: compared without wrap", window, plain, reached),
        told("altered: an event that lies 2^32 back", [*known, formula(behind <= MODULUS)], said, reached),
        told(
            "altered: an event further ahead than 2^32",
            [*known, formula(behind < MODULUS), formula(before <= MODULUS + 1)],
            said,
            reached,
        ),
    ]


def bounds() -> list[RingFact]:
    """Return that the overflow test lets pass what there can be, and nothing else."""
    prod, anchor, most, k = (_counter(name) for name in ("prod", "anchor", "most", "k"))
    known = [within(prod, 0, MASK), within(anchor, 0, MASK), within(most, 0, LARGEST)]
    among = within(k, 0, LARGEST)
    ill = overflows(prod, anchor, most)
    can_be = terms.conjunction([among, formula(k <= most), formula(successor(anchor, k) == prod)])
    passed = terms.negation(formula(ill))
    far = distance(prod, anchor)
    witness = terms.conjunction(
        [formula(far <= most), formula(far >= 0), formula(successor(anchor, far) == prod)]
    )
    strict = terms.negation(formula(overflows(prod, anchor, most - 1)))
    loose = terms.negation(formula(overflows(prod, anchor, most + 1)))
    every = terms.conjunction(known)
    return [
        RingFact(
            "what there can be passes the overflow test",
            terms.implication(terms.conjunction([every, can_be]), passed),
        ),
        RingFact(
            "what passes the overflow test is what there can be",
            terms.implication(terms.conjunction([every, passed]), witness),
        ),
        RingFact(
            "altered: >= for >", terms.implication(terms.conjunction([every, can_be]), strict), holds=False
        ),
        RingFact(
            "altered: one more may pass",
            terms.implication(terms.conjunction([every, loose]), witness),
            holds=False,
        ),
    ]


def slots() -> list[RingFact]:
    """Return that the items of a ring lie in different slots, and when a ring is full."""
    prod, cons, size = (_counter(name) for name in ("prod", "cons", "size"))
    power = formula((size & (size - 1)) == 0)
    known = [within(prod, 0, FAR), within(cons, 0, FAR), within(size, 1, LARGEST), power]
    apart = prod - cons
    one, two = slot_of(_low(prod), size), slot_of(_low(cons), size)
    free = free_requests(_low(prod), _low(cons), size)
    held = [*known, formula(apart >= 0), formula(apart <= size)]
    return [
        _fact("a slot is one of the ring", known, (one >= 0) & (one < size)),
        _fact(
            "items less than a ring apart have slots of their own",
            [*known, formula(apart > 0), formula(apart < size)],
            one != two,
        ),
        _fact("items a ring apart share a slot", [*known, formula(apart == size)], one == two),
        _fact("free requests are what the ring does not hold", held, free == size - apart),
        _fact("a ring of free requests only is empty", held, (free != size) | (apart == 0)),
        _fact(
            "altered: items a ring apart have slots of their own",
            [*known, formula(apart > 0), formula(apart <= size)],
            one != two,
            holds=False,
        ),
        _fact(
            "altered: a size that is no power of two",
            [
                within(prod, 0, FAR),
                within(cons, 0, FAR),
                within(size, 1, LARGEST),
                formula(apart > 0),
                formula(apart < size),
            ],
            one != two,
            holds=False,
        ),
    ]


def ring_facts() -> list[RingFact]:
    """Return every fact, and every altered one."""
    return [*distances(), *notifications(), *bounds(), *slots()]


def decided(fact: RingFact, solver: Solver) -> bool:
    """Return whether the solver says of a fact what is expected: proved, or an altered one refuted."""
    verdict = solver.ask(script([terms.negation(fact.formula)])).verdict
    return verdict is (Verdict.UNSAT if fact.holds else Verdict.SAT)
