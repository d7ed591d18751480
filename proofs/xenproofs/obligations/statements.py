"""What is proved of every step: the specification's and the model's invariants, and the proof's lemmas.

A statement is one invariant with the kinds of its keys; `formula` is its text read as one quantified formula
over a symbolic state.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from xenmodel.events import queues as event_books
from xenmodel.grants import holding as grant_holding
from xenmodel.grants import representation as grant_books
from xenmodel.hardware import representation as tlb
from xenmodel.memory import books, holding, representation
from xenproofs.obligations.event_lemmas import EVENT_LEMMAS
from xenproofs.obligations.grant_lemmas import GRANT_LEMMAS
from xenproofs.obligations.lemmas import LEMMAS
from xenproofs.obligations.realms import Realm, realm_of_subsystem
from xenproofs.symbolic import terms
from xenproofs.symbolic.sorts import (
    K_BANK,
    K_CPU,
    K_DOMAIN,
    K_FLIGHT,
    K_FRAME,
    K_GRANT,
    K_HANDLE,
    K_INDEX,
    K_LEVEL,
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
    Kind,
)
from xenproofs.symbolic.state import EVENT_TABLES, SCHEMA, enumerations
from xenproofs.symbolic.terms import BOOL, INT
from xenproofs.symbolic.values import lift, wrap
from xenspec.domains import invariants as domain_safety
from xenspec.events import invariants as event_safety
from xenspec.grants import invariants as grant_safety
from xenspec.memory import invariants as safety
from xenspec.vocabulary import SLOTS

if TYPE_CHECKING:
    from collections.abc import Callable

    from xenproofs.symbolic.state import SymbolicMachine
    from xenproofs.symbolic.terms import Term

assert representation.REPRESENTATION is books.REPRESENTATION  # noqa: S101 - imported to fill it

K_ZERO: Final = Kind("zero", INT)
"""The last part of a hold whose holder has a name of one part: always 0."""
_OF_VCPU: Final = (K_FRAME, K_VCPU, K_INDEX)
KEYS: Final[dict[str, tuple[Kind, ...]]] = {
    "Mfn": (K_FRAME,),
    "EntryId": (K_FRAME, K_SLOT),
    "WordId": (K_FRAME, K_SLOT),
    "FlightId": (K_FLIGHT,),
    "VcpuId": (K_VCPU,),
    "Cpu": (K_CPU,),
    "TlbKey": (K_CPU, K_PAGE),
    "PrefixId": (K_CPU, K_LEVEL, K_PREFIX),
    "DirtyId": (K_DOMAIN, K_CPU),
    "GdtPage": (K_VCPU, K_INDEX),
    "LdtPage": (K_VCPU, K_INDEX),
    "EventFrameId": (K_DOMAIN, K_INDEX),
    "EoiFrameId": (K_DOMAIN,),
    "EntryHold": (K_FRAME, K_FRAME, K_SLOT),
    "PinHold": (K_FRAME, K_FRAME, K_ZERO),
    "PartialHold": (K_FRAME, K_FRAME, K_ZERO),
    "AllocatedHold": (K_FRAME, K_FRAME, K_ZERO),
    "BaseHold": (K_FRAME, K_VCPU, K_WHICH),
    "OldHold": (K_FRAME, K_VCPU, K_ZERO),
    "GdtHold": _OF_VCPU,
    "LdtHold": _OF_VCPU,
    "VcpuInfoHold": (K_FRAME, K_VCPU, K_ZERO),
    "EventFrameHold": (K_FRAME, K_DOMAIN, K_INDEX),
    "EoiFrameHold": (K_FRAME, K_DOMAIN, K_ZERO),
    "FlightHold": (K_FRAME, K_FLIGHT, K_ZERO),
    "DomId": (K_DOMAIN,),
    "PortId": (K_DOMAIN, K_PORT),
    "SelectorId": (K_VCPU, K_BANK),
    "QueueId": (K_VCPU, K_PRIORITY),
    "PollId": (K_VCPU, K_PORT),
    "VirqId": (K_VCPU, K_VIRQ),
    "PirqId": (K_DOMAIN, K_PIRQ),
    "GrantId": (K_DOMAIN, K_GRANT),
    "HandleId": (K_DOMAIN, K_HANDLE),
    "UnmapId": (K_VCPU, K_PLACE),
    "CopyId": (K_VCPU, K_SIDE),
    "GrantFrameId": (K_DOMAIN, K_INDEX),
    "DeviceMapHold": (K_FRAME, K_DOMAIN, K_HANDLE),
    "UnmappedHostHold": (K_FRAME, K_VCPU, K_PLACE),
    "UnmappedDeviceHold": (K_FRAME, K_VCPU, K_PLACE),
    "CopySideHold": (K_FRAME, K_VCPU, K_SIDE),
    "GrantFrameHold": (K_FRAME, K_DOMAIN, K_INDEX),
    "StatusFrameHold": (K_FRAME, K_DOMAIN, K_INDEX),
}
"""The kinds of each key type of the invariants, by its name."""


@dataclass(frozen=True, slots=True)
class Statement:
    """One invariant, ready to be read over a symbolic state."""

    name: str
    subsystem: str
    sentence: str
    kinds: tuple[Kind, ...]
    text: Callable[..., object]
    """Takes the state and one key: a value, or a tuple of values."""
    proof_only: bool = False

    @property
    def realm(self) -> Realm:
        """Return the realm that it belongs to."""
        return realm_of_subsystem(self.subsystem)

    def instance(self, state: SymbolicMachine, keys: tuple[Term, ...]) -> Term:
        """Return what the invariant says of one key."""
        values: tuple[object, ...] = tuple(wrap(key, state.path) for key in keys)
        values += (0,) * (K_ZERO in self.kinds)
        return lift(self.text(state, values[0] if len(values) == 1 else values), BOOL)

    def formula(self, state: SymbolicMachine) -> Term:
        """Return the invariant as one formula."""
        kinds = tuple(kind for kind in self.kinds if kind != K_ZERO)

        def body(keys: tuple[Term, ...]) -> Term:
            return terms.implication(in_range(kinds, keys), self.instance(state, keys))

        return state.scope.forall(kinds, body, "key")


def in_range(kinds: tuple[Kind, ...], keys: tuple[Term, ...]) -> Term:
    """Return that the slots among some keys are slots of a frame: other words do not exist."""
    slots = [key for kind, key in zip(kinds, keys, strict=True) if kind == K_SLOT]
    least, end = terms.integer(0), terms.integer(SLOTS)
    return terms.conjunction(
        terms.conjunction([terms.order("<=", least, s), terms.order("<", s, end)]) for s in slots
    )


def _statement(name: str, subsystem: str, sentence: str, key: str, text: Callable[..., object]) -> Statement:
    return Statement(name, subsystem, sentence, KEYS[key], text)


def _members(table: str, field: str, members: list[int]) -> Statement:
    """State that a field holds a member of its enumeration."""

    def text(state: SymbolicMachine, key: object) -> object:
        value = getattr(state.tables[table][key], field)
        return wrap(terms.disjunction(lift(value == member, BOOL) for member in members), state.path)

    sentence = f"The field {field} of {table} holds a member of its enumeration."
    subsystem = "events" if table in EVENT_TABLES else "memory"
    return Statement(f"{table}_{field}_is_a_member", subsystem, sentence, SCHEMA[table][1], text)


def statements() -> list[Statement]:
    """Return every statement, in the order in which they are read."""
    found = [_statement(i.name, i.subsystem, i.sentence, i.key, i.function) for i in safety.SAFETY]
    found += [_statement(i.name, i.subsystem, i.sentence, i.key, i.function) for i in books.REPRESENTATION]
    found += [_statement(i.name, i.subsystem, i.sentence, i.key, i.function) for i in holding.HOLDING]
    found += [_statement(i.name, i.subsystem, i.sentence, i.key, i.function) for i in tlb.REPRESENTATION]
    found += [_statement(i.name, i.subsystem, i.sentence, i.key, i.function) for i in domain_safety.SAFETY]
    found += [_members(*field) for field in enumerations()]
    found += [
        Statement(text.__name__, "memory", (text.__doc__ or "").strip(), kinds, text, proof_only=True)
        for kinds, text in LEMMAS
    ]
    return found + _of_grants() + _of_events()


def _of_grants() -> list[Statement]:
    """Return every statement about grants."""
    found = [_statement(i.name, i.subsystem, i.sentence, i.key, i.function) for i in grant_safety.SAFETY]
    found += [
        _statement(i.name, i.subsystem, i.sentence, i.key, i.function) for i in grant_books.REPRESENTATION
    ]
    found += [_statement(i.name, i.subsystem, i.sentence, i.key, i.function) for i in grant_holding.HOLDING]
    return found + [
        Statement(text.__name__, "grants", (text.__doc__ or "").strip(), kinds, text, proof_only=True)
        for kinds, text in GRANT_LEMMAS
    ]


def _of_events() -> list[Statement]:
    """Return every statement about event channels."""
    found = [_statement(i.name, i.subsystem, i.sentence, i.key, i.function) for i in event_safety.SAFETY]
    found += [
        _statement(i.name, i.subsystem, i.sentence, i.key, i.function) for i in event_books.REPRESENTATION
    ]
    return found + [
        Statement(text.__name__, "events", (text.__doc__ or "").strip(), kinds, text, proof_only=True)
        for kinds, text in EVENT_LEMMAS
    ]
