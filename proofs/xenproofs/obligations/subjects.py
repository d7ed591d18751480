"""The proof's subjects: every registered step, with symbolic arguments made from its signature."""

from __future__ import annotations

import importlib
import inspect
import pkgutil
from dataclasses import dataclass
from enum import IntEnum
from functools import cache
from typing import TYPE_CHECKING, Final, get_type_hints

import xenmodel
from xenmodel.step import STEPS, WRITES, Refused
from xenproofs.symbolic import terms
from xenproofs.symbolic.sorts import (
    FLIGHT_VCPU,
    K_BANK,
    K_CPU,
    K_DOMAIN,
    K_FLIGHT,
    K_FRAME,
    K_GRANT,
    K_HANDLE,
    K_INDEX,
    K_LEVEL,
    K_NUMBER,
    K_PAGE,
    K_PIRQ,
    K_PLACE,
    K_PORT,
    K_PREFIX,
    K_PRIORITY,
    K_SIDE,
    K_SLOT,
    K_VCPU,
    K_VIRQ,
    K_WHICH,
    K_WORD,
    Kind,
)
from xenproofs.symbolic.terms import BOOL
from xenproofs.symbolic.values import Truth, Value, lift, wrap
from xenspec.vocabulary import (
    SLOTS,
    CopyId,
    Cpu,
    DomId,
    EntryId,
    FlightId,
    GrantFrameId,
    GrantId,
    HandleId,
    Mfn,
    PageType,
    PortId,
    TransferId,
    UnmapId,
    VcpuId,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from xenproofs.symbolic.state import SymbolicMachine
    from xenproofs.symbolic.terms import Term

K_BOOL: Final = Kind("bool", BOOL)
BY_NAME: Final = {
    "word": K_WORD,
    "slot": K_SLOT,
    "page": K_PAGE,
    "index": K_INDEX,
    "level": K_LEVEL,
    "prefix": K_PREFIX,
    "which": K_WHICH,
    "port": K_PORT,
    "link": K_PORT,
    "bank": K_BANK,
    "priority": K_PRIORITY,
    "virq": K_VIRQ,
    "pirq": K_PIRQ,
}
"""Kinds of parameters whose annotation is a plain int, by the names that the model uses for them."""
BY_TYPE: Final[dict[int, tuple[Kind, ...]]] = {
    id(bool): (K_BOOL,),
    id(Mfn): (K_FRAME,),
    id(FlightId): (K_FLIGHT,),
    id(VcpuId): (K_VCPU,),
    id(DomId): (K_DOMAIN,),
    id(Cpu): (K_CPU,),
    id(EntryId): (K_FRAME, K_SLOT),
    id(PortId): (K_DOMAIN, K_PORT),
    id(GrantId): (K_DOMAIN, K_GRANT),
    id(HandleId): (K_DOMAIN, K_HANDLE),
    id(UnmapId): (K_VCPU, K_PLACE),
    id(CopyId): (K_VCPU, K_SIDE),
    id(GrantFrameId): (K_DOMAIN, K_INDEX),
    id(TransferId): (K_VCPU,),
}
TUPLES: Final[tuple[tuple[object, tuple[Kind, ...]], ...]] = (
    (tuple[int, int], (K_NUMBER, K_NUMBER)),
    (tuple[FlightId, FlightId], (K_FLIGHT, K_FLIGHT)),
    (tuple[bool, bool, bool, bool], (K_BOOL,) * 4),
    (tuple[int, int, int, int], (K_NUMBER,) * 4),
)


def _own_or_writable(state: SymbolicMachine, values: dict[str, Value]) -> object:
    x = state.tlb[values["cpu"], values["page"]]
    foreign = Truth(lift(x.foreign, BOOL), state.path)
    frame = state.frames[x.frame]
    return foreign.negated() | ((frame.type == PageType.WRITABLE) & frame.validated)


def _marked_as_foreign(state: SymbolicMachine, values: dict[str, Value]) -> object:
    k = state.prefixes[values["cpu"], 1, values["prefix"]]
    entry = k.table, values["slot"]
    others = state.frames[state.pte.target(state.words[entry])].owner != k.domain
    e, past = state.entries[entry], Truth(lift(state.pasts[entry].foreign, BOOL), state.path)
    mapped = Truth(lift(e.linked, BOOL), state.path) & (e.linked_as == PageType.L1)
    mapped |= past & (state.demotions[k.table].demoted_from == PageType.L1)
    marked = Truth(lift(values["foreign"], BOOL), state.path)
    return (marked == (others & mapped)) | (marked & others & state.domains[k.domain].privileged)


def _no_third_party(state: SymbolicMachine, values: dict[str, Value]) -> object:
    t, target = state.flights[values["k"]].frame, state.pte.target(values["word"])
    owner = state.frames[t].owner
    caller = state.vcpus[wrap(terms.apply(FLIGHT_VCPU, values["k"].term), state.path)].domain
    return (owner == caller) | (owner == state.frames[target].owner)


THIRD_PARTY: Final = (
    "The control domain puts no frame into a table unless the table is its own, or both are one domain's."
)

ASSUMED: Final[dict[str, tuple[str, Callable[[SymbolicMachine, dict[str, Value]], object]]]] = {
    "store_through": (
        (
            "Nobody stores through a stale translation of another domain's frame: Xen leaves it to the "
            "control domain, which alone can bring it about, to flush its own and its clients' CPUs."
        ),
        _own_or_writable,
    ),
    "install": (THIRD_PARTY, _no_third_party),
    "replace": (THIRD_PARTY, _no_third_party),
    "fill_through": (
        (
            "`foreign` marks another domain's frame that an L1 entry maps, or mapped until it was unlinked, "
            "and may mark any that the control domain's walks come to: it changes nothing that is done."
        ),
        _marked_as_foreign,
    ),
}
"""What is assumed of whoever takes a step, in words and as a formula; docs/trusted.md lists it."""


@dataclass(frozen=True, slots=True)
class Parameter:
    """One argument of a step: its constants, and for an enumeration the members' numbers."""

    name: str
    kinds: tuple[Kind, ...]
    members: tuple[int, ...] = ()

    @property
    def constants(self) -> tuple[Term, ...]:
        """Return the argument's constants: one, or two for an entry."""
        if len(self.kinds) == 1:
            return (terms.symbol(f"arg_{self.name}", self.kinds[0].sort),)
        return tuple(terms.symbol(f"arg_{self.name}_{n}", k.sort) for n, k in enumerate(self.kinds))


@dataclass(frozen=True, slots=True)
class Subject:
    """A step, with its parameters and declared writes."""

    name: str
    module: str
    function: Callable[..., object]
    parameters: tuple[Parameter, ...]
    keywords: frozenset[str]
    writes: frozenset[str]

    @property
    def pae(self) -> bool:
        """Return whether the machine that the step is proved of has PAE tables."""
        return self.name in OF_PAE

    @property
    def subsystem(self) -> str:
        """Return the subsystem by the step's module."""
        return _subsystem(self.function)

    def run(self, machine: SymbolicMachine) -> str:
        """Run the step on a symbolic machine; return how it ended."""
        positional: list[object] = []
        keyword: dict[str, object] = {}
        for p in self.parameters:
            values = tuple(wrap(constant, machine.path) for constant in p.constants)
            value: object = values[0] if len(values) == 1 else values
            if p.name in self.keywords:
                keyword[p.name] = value
            else:
                positional.append(value)
            machine.matching.arguments[p.name] = value
        try:
            self.function(machine, *positional, **keyword)
        except Refused as refusal:
            return f"refused: {refusal.guard}"
        machine.census.settle()
        return "done"

    def preconditions(self, state: SymbolicMachine) -> list[Term]:
        """Return what an argument's type says of it, and what is assumed of whoever takes the step."""
        assumed = ASSUMED.get(self.name)
        values = {p.name: wrap(p.constants[0], state.path) for p in self.parameters}
        slots = [p.constants[1] for p in self.parameters if p.kinds == (K_FRAME, K_SLOT)]
        inside = [terms.order("<=", terms.integer(0), s) for s in slots]
        inside += [terms.order("<", s, terms.integer(SLOTS)) for s in slots]
        listed = inside if assumed is None else [*inside, lift(assumed[1](state, values), BOOL)]
        return listed + [
            terms.disjunction(terms.equal(p.constants[0], terms.integer(m)) for m in p.members)
            for p in self.parameters
            if p.members
        ]


def _parameter(name: str, hint: object) -> Parameter:
    if id(hint) in BY_TYPE:
        return Parameter(name, BY_TYPE[id(hint)])
    if isinstance(hint, type) and issubclass(hint, IntEnum):
        return Parameter(name, (K_NUMBER,), tuple(int(member) for member in hint))
    if hint is int:
        return Parameter(name, (BY_NAME.get(name, K_NUMBER),))
    for kind, parts in TUPLES:
        if hint == kind:
            return Parameter(name, parts)
    raise TypeError(f"no symbolic argument for {name}: {hint}")


def subject(name: str, function: Callable[..., object], writes: frozenset[str]) -> Subject:
    """Return the proof's subject for a function of a machine."""
    hints = get_type_hints(function)
    signature = inspect.signature(function)
    names = list(signature.parameters)[1:]
    keywords = frozenset(n for n in names if signature.parameters[n].kind is inspect.Parameter.KEYWORD_ONLY)
    parameters = tuple(_parameter(n, hints[n]) for n in names)
    return Subject(name, function.__module__, function, parameters, keywords, writes)


OF_PAE: Final = frozenset({"claim_top_l2", "clear_unused"})
"""Steps that only PAE tables take: they are proved of a machine of that geometry."""
PROVED: Final = frozenset({"memory", "tlb", "domains", "events", "grants"})
"""Subsystems whose steps are subjects; the steps of others are listed as not proved yet (`awaiting`)."""


@cache
def _every() -> dict[str, Callable[..., object]]:
    for found in pkgutil.walk_packages(xenmodel.__path__, "xenmodel."):
        importlib.import_module(found.name)
    return dict(STEPS)


def _subsystem(function: Callable[..., object]) -> str:
    name = function.__module__.removeprefix("xenmodel.").split(".")[0]
    return {"hardware": "tlb"}.get(name, name)


@cache
def subjects() -> dict[str, Subject]:
    """Return every step that is proved, by name; all of the model is imported for it."""
    chosen = {name: f for name, f in _every().items() if name not in awaiting()}
    return {name: subject(name, f, frozenset(WRITES[name])) for name, f in chosen.items()}


def awaiting() -> list[str]:
    """Return the names of the steps that are no subjects yet."""
    return sorted(name for name, f in _every().items() if _subsystem(f) not in PROVED)
