"""The finite instance: a few frames, slots, domains and CPUs, real 64-bit words, exact cardinalities.

No axiom is assumed here: counts are sums over every possible holder, decoders are the functions of
xenmodel.abi themselves. What is satisfiable is a concrete state, which the executable can be given.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from xenmodel.abi import descriptor, pte
from xenproofs.obligations import grant_instance
from xenproofs.obligations.statements import statements
from xenproofs.symbolic import terms
from xenproofs.symbolic.bitvectors import BITS, meaning, word_literal
from xenproofs.symbolic.ghost import HOLDERS
from xenproofs.symbolic.scope import Finite
from xenproofs.symbolic.sorts import (
    FLIGHT,
    FRAME,
    K_FRAME,
    MADE_VCPU,
    NO_FRAME,
    PARTS,
    REF,
    REF_DATATYPE,
    VCPU,
)
from xenproofs.symbolic.state import CPU_COUNT
from xenproofs.symbolic.terms import INT, Sort, Term, integer, interpreted, symbol, variable
from xenproofs.symbolic.words import PRESENT, TARGET
from xenspec.memory.descriptors import harmless
from xenspec.table import XEN_FIRST_SLOT
from xenspec.vocabulary import DOMID_IDLE, DOMID_INVALID, DOMID_IO, SLOTS

if TYPE_CHECKING:
    from collections.abc import Mapping

    from xenproofs.symbolic.state import SymbolicMachine


@dataclass(frozen=True, slots=True)
class Size:
    """How many of each there are."""

    frames: int
    slots: tuple[int, ...]
    cpus: int
    vcpus: int
    flights: int = 3
    domains: tuple[int, ...] = (0, 1, int(DOMID_INVALID))
    outside: bool = False
    """Whether arguments may also name what does not exist: a CPU, a slot, no frame at all."""


SMALL: Final = Size(frames=3, slots=(0, 511), cpus=1, vcpus=1)
WIDE: Final = Size(
    frames=4, slots=(0, 1, 511), cpus=2, vcpus=2, domains=(0, 1, int(DOMID_IO), int(DOMID_INVALID))
)
IDLE: Final = Size(
    frames=2, slots=(0, 511), cpus=1, vcpus=3, domains=(0, 1, int(DOMID_IDLE), int(DOMID_INVALID))
)
"""Virtual CPUs that take turns, one of them the one that a CPU with no other runs."""
XENS: Final = Size(frames=2, slots=(0, XEN_FIRST_SLOT, 511), cpus=1, vcpus=1)
"""With a slot of a top-level table that is Xen's own."""


def _named(prefix: str, sort: Sort, count: int) -> tuple[Term, ...]:
    return tuple(symbol(f"{prefix}_{n}", sort) for n in range(count))


@dataclass(frozen=True, slots=True)
class Instance:
    """The universe, its declarations, and what holds of every state in it."""

    size: Size
    scope: Finite
    preamble: str
    given: frozenset[str]
    outside: Mapping[str, tuple[Term, ...]] = field(default_factory=dict[str, "tuple[Term, ...]"])
    """By kind, what an argument may be beside what exists."""


OUTSIDE: Final[Mapping[str, tuple[Term, ...]]] = {
    "frame": (NO_FRAME,),
    "slot": (integer(-1), integer(SLOTS)),
    "which": (integer(-1), integer(2), integer(3)),
    "level": (integer(0), integer(4)),
}
"""Arguments that name nothing."""


def _integers(values: tuple[int, ...]) -> tuple[Term, ...]:
    return tuple(integer(v) for v in values)


def _universe(size: Size) -> dict[str, tuple[Term, ...]]:
    universe = {
        "frame": _named("frame", FRAME, size.frames),
        "flight": _named("flight", FLIGHT, size.flights),
        "vcpu": _named("vcpu", VCPU, size.vcpus),
        "slot": _integers(size.slots),
        "domain": _integers(size.domains),
        "cpu": _integers(tuple(range(size.cpus + size.outside))),
        "page": _integers((0,)),
        "index": _integers((0,)),
        "level": _integers((1, 2, 3)),
        "prefix": _integers((0,)),
        "which": _integers((0, 1)),
        "number": _integers((0,)),
        "grant": _integers((0, 511)),
        "place": _integers((0,)),
        **dict.fromkeys(("handle", "side", "port"), _integers((0, 1))),
        **dict.fromkeys(("bank", "priority", "virq", "pirq"), _integers((0,))),
        "word": (),
    }
    parts = {FRAME: universe["frame"], VCPU: universe["vcpu"], FLIGHT: universe["flight"]}
    second = {"entry": universe["slot"], "base": universe["which"], "copy_side": universe["side"]}
    second["device_map"] = universe["handle"]
    refs: list[Term] = []
    for kind, sorts in HOLDERS.items():
        first = parts[sorts[0]] if sorts[0] in parts else universe["domain"]
        seconds = second.get(kind, universe["index"])
        heads = [] if kind == "other" else [(a,) for a in first]
        for head in heads:
            tails = [(b,) for b in seconds] if len(sorts) > 1 else [()]
            refs += [interpreted(f"r_{kind}", REF, *head, *tail) for tail in tails]
    return {**universe, "ref": tuple(refs)}


def _enumeration(sort: Sort, names: tuple[Term, ...]) -> str:
    return f"(declare-datatypes (({sort.name} 0)) (({' '.join(f'({n})' for n in names)})))"


def _target(word: Term, frames: tuple[Term, ...]) -> Term:
    number = meaning(pte.target, word)
    found: Term = NO_FRAME
    for index, frame in enumerate(frames):
        found = terms.choice(terms.equal(number, word_literal(index)), frame, found)
    return found


def _definitions(frames: tuple[Term, ...]) -> dict[str, str]:
    w = variable("w", BITS)
    bodies = {
        "present": ("Bool", meaning(pte.present, w)),
        "writable": ("Bool", meaning(pte.writable, w)),
        "large": ("Bool", meaning(pte.large, w)),
        "user": ("Bool", meaning(pte.user, w)),
        "target": ("Frame", _target(w, frames)),
        "accepted": ("Bool", meaning(descriptor.accepted, w)),
        "harmless": ("Bool", meaning(harmless, w)),
        "loadable": ("Bool", meaning(descriptor.loadable, w)),
        "stored": ("Word", meaning(descriptor.stored, w)),
        "used": ("Word", meaning(descriptor.used, w)),
    }
    made = {n: f"(define-fun {n} ((w Word)) {sort} {terms.text(body)})" for n, (sort, body) in bodies.items()}
    flag = variable("d", terms.BOOL)
    stored, loaded = meaning(pte.marked, w, dirty=True), meaning(pte.marked, w, dirty=False)
    marked = terms.choice(flag, stored, loaded)
    made["marked"] = f"(define-fun marked ((w Word) (d Bool)) Word {terms.text(marked)})"
    made["zero_word"] = f"(define-fun zero_word () Word {word_literal(0)})"
    return made


def instance(size: Size) -> Instance:
    """Return the finite instance of a size."""
    universe = _universe(size)
    definitions = {
        **_definitions(universe["frame"]),
        **grant_instance.definitions(universe["frame"], size.domains),
    }
    lines = [
        _enumeration(FRAME, (*universe["frame"], NO_FRAME)),
        _enumeration(FLIGHT, universe["flight"]),
        _enumeration(VCPU, universe["vcpu"]),
        "(define-sort Word () (_ BitVec 64))",
        REF_DATATYPE,
        *definitions.values(),
    ]
    keys = (*universe["frame"], NO_FRAME, *universe["flight"], *universe["vcpu"])
    given = frozenset({"Frame", "Flight", "Vcpu", "Word", *definitions, *map(str, keys)})
    return Instance(size, Finite(universe), "\n".join(lines), given, OUTSIDE if size.outside else {})


def exact(state: SymbolicMachine, made: Instance) -> list[Term]:
    """Return what makes a state of the instance concrete: cardinalities, and values inside the universe."""
    scope, size = made.scope, made.size
    next_slots = sorted({0, 1, SLOTS, *size.slots})
    found = [terms.equal(CPU_COUNT, integer(size.cpus))]
    found += [s.instance(state, (NO_FRAME,)) for s in statements() if s.kinds == (K_FRAME,)]
    for number, v in enumerate(scope.universe["vcpu"]):
        domain, numbered = terms.apply(PARTS[VCPU, 0], v), terms.apply(PARTS[VCPU, 1], v)
        found.append(terms.equal(numbered, integer(number)))
        found.append(terms.equal(terms.apply(MADE_VCPU, domain, numbered), v))
    for f in scope.universe["frame"]:
        found += _counts(state, scope, f)
        next_slot = state.frames.field("next_slot").read((f,))
        found.append(terms.disjunction(terms.equal(next_slot, integer(n)) for n in next_slots))
        for slot in scope.universe["slot"]:
            found.append(_names_a_frame(state.words.field.read((f, slot))))
    for table, name in (("frames", "owner"), ("vcpus", "domain"), ("tlb", "domain"), ("prefixes", "domain")):
        held = state.tables[table].field(name)
        found.append(
            scope.forall(state.tables[table].kinds, lambda ks, h=held: _inside(h.read(ks), size.domains), "d")  # type: ignore[misc]
        )
    found.append(scope.forall(state.prefixes.kinds, lambda ks: _leads_somewhere(state, ks), "p"))
    return found + (_idle(state, made) if int(DOMID_IDLE) in size.domains else [])


def _idle(state: SymbolicMachine, made: Instance) -> list[Term]:
    """Return that the first virtual CPUs are those that a CPU with no other runs, and no others are."""
    found: list[Term] = []
    cpus, vcpus = made.scope.universe["cpu"], made.scope.universe["vcpu"]
    for n, vcpu in enumerate(vcpus):
        of_idle = terms.equal(state.vcpus.field("domain").read((vcpu,)), integer(int(DOMID_IDLE)))
        found.append(of_idle if n < len(cpus) else terms.negation(of_idle))
    for cpu, vcpu in zip(cpus, vcpus, strict=False):
        found.append(terms.equal(terms.apply(MADE_VCPU, integer(int(DOMID_IDLE)), cpu), vcpu))
    return found


def _leads_somewhere(state: SymbolicMachine, keys: tuple[Term, ...]) -> Term:
    """Return that a prefix, if there is one, leads to a frame of the universe."""
    nowhere = terms.equal(state.prefixes.field("table").read(keys), NO_FRAME)
    return terms.negation(terms.conjunction([state.prefixes.field("valid").read(keys), nowhere]))


def _names_a_frame(word: Term) -> Term:
    """Return that a present word's target lies inside the universe."""
    target = terms.equal(terms.apply(TARGET, word), NO_FRAME)
    return terms.negation(terms.conjunction([terms.apply(PRESENT, word), target]))


def _inside(value: Term, numbers: tuple[int, ...]) -> Term:
    return terms.disjunction(terms.equal(value, integer(n)) for n in numbers)


def _counts(state: SymbolicMachine, scope: Finite, f: Term) -> list[Term]:
    """Return that each ghost count of a frame is the size of its set."""
    linear, target = state.entries.field("linear"), state.entries.field("target")
    slots = scope.universe["slot"]
    pairs = [(t, s) for t in scope.universe["frame"] for s in slots]
    sets = {
        "typed": [state.ghost.typed.read((f, r)) for r in scope.universe["ref"]],
        "general": [state.ghost.general.read((f, r)) for r in scope.universe["ref"]],
        "own": [linear.read((f, s)) for s in slots],
        "uses": [terms.conjunction([linear.read(p), terms.equal(target.read(p), f)]) for p in pairs],
    }
    return [terms.equal(state.ghost.counts[n].read((f,)), _size(members)) for n, members in sets.items()]


def _size(members: list[Term]) -> Term:
    ones = [terms.choice(m, integer(1), integer(0)) for m in members]
    return interpreted("+", INT, integer(0), *ones)
