"""Grants in the finite instance: decoders as functions of 64 bits, exact pins, names inside the universe.

What is satisfiable here is a concrete state of grant tables: a step that is run from it reads the same entry
from the same words. What an entry is rewritten to by a transfer, a swap or a change of layout is left open:
no invariant reads it.
"""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING, Final

from xenmodel.abi.grant import MASK16, MASK32, GrantEntries
from xenproofs.symbolic import grants as decoders
from xenproofs.symbolic import terms
from xenproofs.symbolic.bitvectors import BITS, Bits, meaning, word_literal
from xenproofs.symbolic.census import GRANT_FAMILIES
from xenproofs.symbolic.sorts import NO_FRAME, PARTS, VCPU
from xenproofs.symbolic.terms import BOOL, INT, Term, integer, interpreted, variable

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from xenproofs.symbolic.census import Family
    from xenproofs.symbolic.scope import Finite
    from xenproofs.symbolic.state import SymbolicMachine
    from xenproofs.symbolic.terms import Symbol

NOBODY: Final = 0x7FFF
"""Stands for every domain number of an entry that is none of the universe."""
W, SECOND = variable("w", BITS), variable("x", BITS)
FLAG, OTHER = variable("a", BOOL), variable("b", BOOL)
VERSION, REF = variable("v", INT), variable("r", INT)
REFS: Final = (0, 511)
"""Entries of the universe."""
RANGES: Final[dict[str, tuple[int, ...]]] = {
    "grant_tables.version": (1, 2),
    "grant_tables.frames": (0, 1),
    "grant_tables.status_frames": (0, 1),
    **dict.fromkeys(
        (
            "mappings.ref",
            "unmappings.ref",
            "copies.ref",
            "copies.trans_ref",
            "passed.ref",
            "active.trans_ref",
            "transfers.ref",
        ),
        REFS,
    ),
}
"""What fields hold that name something."""
DOMAINS: Final = (
    "active.domain",
    "mappings.domain",
    "unmappings.domain",
    "active.trans_domain",
    "copies.domain",
    "copies.trans_domain",
    "passed.by",
    "passed.domain",
    "transfers.domain",
)
"""Fields that name a domain."""


def _old(then: Term, other: Term) -> Term:
    return terms.choice(terms.equal(VERSION, integer(1)), then, other)


def _div(value: Term, by: int) -> Term:
    return interpreted("div", INT, value, integer(by))


def _mod(value: Term, by: int) -> Term:
    return interpreted("mod", INT, value, integer(by))


def _places() -> dict[Symbol, tuple[tuple[Term, ...], Term]]:
    """Return where entries and their status are (GrantEntries.place, status_place), as a test compares."""
    old, new, status = GrantEntries.entries(1, 1), GrantEntries.entries(2, 1), 2048
    return {
        decoders.PAGE: ((VERSION, REF), _old(_div(REF, old), _div(REF, new))),
        decoders.SLOT: ((VERSION, REF), _old(_mod(REF, old), terms.times(2, _mod(REF, new)))),
        decoders.STATUS_PAGE: ((REF,), _div(REF, status)),
        decoders.STATUS_SLOT: ((REF,), _div(_mod(REF, status), 4)),
    }


def _by_flags(function: Callable[..., object], *flags: tuple[str, Term]) -> Term:
    """Return what a function of a word and of flags computes."""
    names = [name for name, _ in flags]
    found: Term | None = None
    for values in itertools.product((False, True), repeat=len(flags)):
        value = meaning(function, W, **dict(zip(names, values, strict=True)))
        chosen = [t if v else terms.negation(t) for (_, t), v in zip(flags, values, strict=True)]
        found = value if found is None else terms.choice(terms.conjunction(chosen), value, found)
    if found is None:
        raise ValueError(function)
    return found


def _frame(frames: Sequence[Term]) -> Term:
    """Return the frame that an entry names, or none of the universe."""
    old, found = meaning(_upper_half, W), NO_FRAME
    for index, frame in enumerate(frames):
        number = word_literal(index)
        named = _old(terms.equal(old, number), terms.equal(SECOND, number))
        found = terms.choice(named, frame, found)
    return found


def _upper_half(word: Bits) -> Bits:
    return word >> 32 & MASK32


def _receiver(word: Bits) -> Bits:
    return word >> 16 & MASK16


def _giver(word: Bits) -> Bits:
    return word >> 32 & MASK16


def _ref() -> Term:
    """Return the reference that a transitive entry names, if it is one of the universe."""
    found = integer(-1)
    for ref in REFS:
        found = terms.choice(
            terms.equal(meaning(_lower_half, SECOND), word_literal(ref)), integer(ref), found
        )
    return found


def _lower_half(word: Bits) -> Bits:
    return word & MASK32


def _domain(domains: Iterable[int], part: Callable[..., object]) -> Term:
    """Return the domain that a part of a word names, if it is one of the universe."""
    found, named = integer(NOBODY), meaning(part, W)
    for domain in domains:
        found = terms.choice(terms.equal(named, word_literal(domain)), integer(domain), found)
    return found


def definitions(frames: Sequence[Term], domains: Iterable[int]) -> dict[str, str]:
    """Return the decoders of entries, defined in SMT-LIB."""
    found = {
        **_places(),
        decoders.PERMITS: ((W, FLAG), _by_flags(GrantEntries.permits, ("whole", FLAG))),
        decoders.ACCEPTS: ((W,), meaning(GrantEntries.accepts_transfer, W)),
        decoders.READONLY: ((W,), meaning(GrantEntries.readonly, W)),
        decoders.SUB_PAGE: ((W,), meaning(GrantEntries.sub_page, W)),
        decoders.DOMAIN: ((W,), _domain(domains, _receiver)),
        decoders.TRANSITIVE: ((W,), meaning(GrantEntries.transitive, W)),
        decoders.THROUGH[0]: ((W,), _domain(domains, _giver)),
        decoders.THROUGH[1]: ((SECOND,), _ref()),
        decoders.NAMED: ((VERSION, W, SECOND), _frame(frames)),
        decoders.USED: ((W, FLAG), _by_flags(GrantEntries.used, ("writing", FLAG))),
        decoders.UNUSED: (
            (W, FLAG, OTHER),
            _by_flags(GrantEntries.unused, ("reading", FLAG), ("writing", OTHER)),
        ),
        decoders.COMMITTED: ((W,), meaning(GrantEntries.committed, W)),
        decoders.COMPLETED: ((W,), meaning(GrantEntries.completed, W)),
    }
    return {function.name: _defined(function, *meant) for function, meant in found.items()}


def _defined(function: Symbol, variables: tuple[Term, ...], body: Term) -> str:
    """Return the definition of one function."""
    arguments = " ".join(f"({v.head} {s.name})" for v, s in zip(variables, function.domain, strict=True))
    return f"(define-fun {function.name} ({arguments}) {function.range.name} {terms.text(body)})"


def exact(state: SymbolicMachine, scope: Finite, domains: Iterable[int]) -> list[Term]:
    """Return what makes grants of a state concrete: exact sizes, and names inside the universe."""
    ranges: Mapping[str, tuple[int, ...]] = {**RANGES, **dict.fromkeys(DOMAINS, tuple(domains))}
    found: list[Term] = []
    for name, values in ranges.items():
        table, field = name.split(".")
        read = state.tables[table].field(field).read
        found.append(
            scope.forall(
                state.tables[table].kinds,
                lambda ks, r=read, vs=values: terms.disjunction(  # type: ignore[misc]
                    terms.equal(r(ks), integer(v)) for v in vs
                ),
                "inside",
            )
        )
    for v in scope.universe["vcpu"]:
        domain = state.vcpus.field("domain").read((v,))
        found.append(terms.equal(terms.apply(PARTS[VCPU, 0], v), domain))
    return [*found, _pages(state, scope), *exact_sizes(state, scope, GRANT_FAMILIES)]


def _pages(state: SymbolicMachine, scope: Finite) -> Term:
    """Return that the pages which tables are said to have are frames, so that their words are shown."""
    pages, frames = state.tables["grant_frames"], state.tables["grant_tables"].field("frames").read

    def is_there(p: tuple[Term, ...]) -> Term:
        absent = terms.equal(pages.field("frame").read(p), NO_FRAME)
        return terms.implication(terms.order("<", p[1], frames(p[:1])), terms.negation(absent))

    return scope.forall(pages.kinds, is_there, "inside")


def exact_sizes(state: SymbolicMachine, scope: Finite, families: Iterable[Family]) -> list[Term]:
    """Return that each size is the number of members among all keys of the universe."""
    universe, census = scope.universe, state.census
    found: list[Term] = []
    for family in families:
        for of_set in itertools.product(*(universe[kind.name] for kind in family.kinds)):
            members = [
                source.member(census.now, key, of_set)
                for source in family.sources
                for key in itertools.product(*(universe[kind.name] for kind in source.kinds))
            ]
            found.append(terms.equal(census.size(family).read(of_set), _size(members)))
    return found


def _size(members: Iterable[Term]) -> Term:
    ones = [terms.choice(m, integer(1), integer(0)) for m in members]
    return interpreted("+", INT, integer(0), *ones)
