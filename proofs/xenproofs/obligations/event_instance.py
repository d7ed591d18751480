"""The finite instance of event channels: two domains of two vCPUs, four ports each, exact counts.

What is satisfiable in it is a concrete state: every field that names a vCPU, a port or a domain names one of
the universe, and the two counts are sums over it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from xenmodel.abi.event import QUEUES, WORD_PORTS
from xenproofs.obligations.grant_instance import exact_sizes
from xenproofs.obligations.instance import SMALL, Instance
from xenproofs.symbolic import terms
from xenproofs.symbolic.census import EVENT_FAMILIES
from xenproofs.symbolic.scope import Finite
from xenproofs.symbolic.sorts import FRAME, MADE_VCPU, NO_FRAME, VCPU, VCPU_DATATYPE, VCPU_NAMES
from xenproofs.symbolic.state import EVENT_TABLES
from xenproofs.symbolic.terms import BOOL, Term, integer, symbol
from xenproofs.symbolic.values import lift
from xenspec.vocabulary import DOMID_INVALID

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from xenproofs.symbolic.state import SymbolicMachine

DOMAINS: Final = (0, 1)
NUMBERS: Final = (0, 1)
"""Of virtual CPUs."""
PORTS: Final = (0, 1, 2, WORD_PORTS - 1)
PRIORITIES: Final = (0, 7)
TABLES: Final = (*EVENT_TABLES, "domains", "event_frames")
"""The tables that statements about event channels read."""
RANGES: Final[dict[str, tuple[int, ...]]] = {
    **dict.fromkeys(
        (
            "ports.remote_port",
            "event_words.link",
            "event_words.before",
            "heads.port",
            "queues.tail",
            "taken.head",
            "taken.port",
            "notices.port",
            "virqs.port",
            "pirqs.port",
            "waits.looked",
        ),
        PORTS,
    ),
    "waits.poll_port": (-1, *PORTS),
    **dict.fromkeys(("ports.vcpu", "ports.last_vcpu", "notices.vcpu", "signals.raised"), NUMBERS),
    **dict.fromkeys(("ports.priority", "ports.last_priority", "notices.priority"), PRIORITIES),
    **dict.fromkeys(("ports.remote_domain", "notices.domain"), (*DOMAINS, int(DOMID_INVALID))),
    "ports.virq": (0, 3),
    "ports.pirq": (5, 6),
    "domains.vcpus": (0, 1, 2),
}
"""What fields hold that name something."""
OUTSIDE: Final[Mapping[str, tuple[Term, ...]]] = {
    "port": (integer(-1),),
    "priority": (integer(-1), integer(QUEUES)),
}
"""Arguments that name nothing."""


def _vcpu(domain: int, number: int) -> Term:
    return terms.apply(MADE_VCPU, integer(domain), integer(number))


def _integers(values: Iterable[int]) -> tuple[Term, ...]:
    return tuple(integer(v) for v in values)


def event_instance(*, outside: bool = False) -> Instance:
    """Return the finite instance; with an outside, an argument may be no port or priority."""
    frame = symbol("frame_0", FRAME)
    universe = {
        "vcpu": (*(_vcpu(d, n) for d in DOMAINS for n in NUMBERS), _vcpu(int(DOMID_INVALID), 0)),
        "domain": _integers((*DOMAINS, int(DOMID_INVALID))),
        "port": _integers(PORTS),
        "bank": _integers((0,)),
        "priority": _integers(PRIORITIES),
        "virq": _integers((0, 3)),
        "pirq": _integers((5, 6)),
        "index": _integers(NUMBERS),
        "frame": (frame,),
    }
    frames = f"(declare-datatypes ((Frame 0)) ((({frame}) ({NO_FRAME}))))"
    given = VCPU_NAMES | {"Frame", str(frame), str(NO_FRAME)}
    beyond = OUTSIDE if outside else {}
    return Instance(SMALL, Finite(universe), f"{VCPU_DATATYPE}\n{frames}", given, beyond)


def event_exact(state: SymbolicMachine, made: Instance) -> list[Term]:
    """Return what makes a state of the instance concrete: exact counts, and values inside the universe."""
    scope = made.scope
    found: list[Term] = []
    for table in TABLES:
        for f in state.tables[table].fields.values():
            values = RANGES.get(f.name)
            inside = scope.universe["vcpu"] if f.range == VCPU else _integers(values or ())
            if inside:
                found.append(
                    scope.forall(
                        state.tables[table].kinds,
                        lambda ks, read=f.read, among=inside: terms.disjunction(  # type: ignore[misc]
                            terms.equal(read(ks), value) for value in among
                        ),
                        "inside",
                    )
                )
    nobody = state.domains[int(DOMID_INVALID)].exists
    return [*found, terms.negation(lift(nobody, BOOL)), *_counts(state, made)]


def _counts(state: SymbolicMachine, made: Instance) -> list[Term]:
    """Return that both counts are the sizes of their sets."""
    return exact_sizes(state, made.scope, EVENT_FAMILIES)
