"""A dying domain gives back its handles (gnttab_release_mappings), before its page tables are taken apart.

References that devices have go with the handle; those of a page-table entry stay with the entry, and go when
its table does.
"""

from xenmodel.grants.entries import add_pins, mark_less_used
from xenmodel.grants.pins import MAPPING, PINS, forget
from xenmodel.hypercall import Call, Steps
from xenmodel.machine import Machine
from xenmodel.memory import holders
from xenmodel.memory.demotion import drop_leaf
from xenmodel.memory.rows import HELD, IDLE, REF
from xenmodel.memory.updates import flights
from xenmodel.step import require, step
from xenspec.logic import Not, ite
from xenspec.vocabulary import EAGAIN, EINVAL, DomId, FlightId, GrantId, HandleId


@step(*MAPPING, *PINS, "words.word", "flights.mode", "flights.frame")
def release_mapping(m: Machine, k: FlightId, h: HandleId) -> None:
    """Take back a dying domain's handle; what devices had of its frame is in flight `k` from now on."""
    row, flight = m.mappings[h], m.flights[k]
    require("the domain is dying", m.domains[h[0]].dying, EINVAL)
    require("the mapping is live", row.live, EAGAIN)
    require("flight is idle", flight.mode == IDLE, EAGAIN)
    if row.device:
        holder = holders.device_map(h[0], h[1])
        m.ghost.move(row.frame, holder, holders.flight(k), typed=Not(row.readonly), general=True)
        flight.frame = row.frame
        flight.mode = ite(row.readonly, REF, HELD)
    g = GrantId((row.domain, row.ref))
    add_pins(m.active[g], -1, host=row.host, device=row.device, readonly=row.readonly)
    mark_less_used(m, g, readonly=row.readonly)
    forget(row)


def release_mappings(x: Call, d: DomId) -> Steps[None]:
    """Take back every handle of a dying domain."""
    m = x.m
    _, _, ko = flights(x.vcpu)
    for number in range(m.grant_tables[d].handles):
        h = HandleId((d, number))
        if m.mappings[h].live:
            release_mapping(m, ko, h)
            yield release_mapping
            yield from drop_leaf(x, ko)
