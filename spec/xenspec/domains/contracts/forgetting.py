"""A domain is forgotten: of whom, and that nothing of it is left for another one of its number.

What others hold of a domain's frames keeps the domain (see `domain_that_does_not_exist_has_no_page`); so does
whoever uses its ports or its grants, and so do its own handles.
"""

from dataclasses import dataclass
from typing import Final, Protocol

from xenspec.contract import EVERY, Cells, Contract, OfDomain
from xenspec.domains import books
from xenspec.events import books as events
from xenspec.events.books import NOBODY
from xenspec.events.invariants import in_use
from xenspec.grants import books as grants
from xenspec.grants.contracts.entries import is_used
from xenspec.logic import Not
from xenspec.memory.frames import NO_FRAME
from xenspec.memory.state import RunningCpuRow
from xenspec.table import Table
from xenspec.vocabulary import DomId, PortId, VcpuId


class State(books.State, events.State, grants.State, Protocol):
    """What there is of domains, of their event channels and of their grants."""

    @property
    def cpus(self) -> Table[int, RunningCpuRow]: ...  # noqa: D102 - named by its table
    @property
    def mappings(self) -> Table[tuple[int, int], grants.HandleRow]: ...  # noqa: D102


@dataclass(frozen=True, slots=True)
class Gone:
    """A domain; any number at all, of a port, an entry or a handle; and of a virtual CPU."""

    domain: DomId
    number: int
    vcpu: int


FORGET: Contract[State, Gone] = Contract("forget a domain")
ROW: Final = (
    "exists",
    "privileged",
    "dying",
    "crashed",
    "io_rights",
    "max_pages",
    "writable_pagetables",
    "m2p_strict",
    "assists",
)
OF_ITS_NUMBER: Final = {
    "channels": (
        "valid",
        "limit",
        "active",
        "reset_at",
        "fifo",
        "words",
        "pirqs",
        "started",
        "honest",
        "teller",
        "told",
    ),
    "grant_tables": (
        *("version", "max_version", "frames", "limit", "status_frames", "handles", "handle_limit"),
        "next_handle",
    ),
}
OF_ITS_NUMBERS: Final = {
    "ports": (
        *("state", "remote_domain", "remote_port", "virq", "pirq", "vcpu", "priority"),
        *("last_vcpu", "last_priority", "saved", "owed", "waiting"),
    ),
    "signals": ("pending", "masked", "teller", "raised", "announcer"),
    "event_words": (
        *("pending", "masked", "linked", "busy", "link", "teller", "announcer", "order", "before"),
        "linker",
    ),
    "pirqs": ("port", "permitted", "usable"),
    "active": (
        *("host_writable", "host_readonly", "device_writable", "device_readonly", "domain", "frame"),
        *("start", "length", "sub_page", "trans_domain", "trans_ref"),
    ),
    "mappings": (
        *("taken", "pinned", "live", "host", "device", "readonly", "stored", "by_entry", "domain", "ref"),
        "frame",
    ),
}
OF_ITS_VCPUS: Final = {
    "upcalls": ("pending", "masked", "teller"),
    "waits": ("blocked", "polling", "poll_port", "checking", "looked", "alone", "sleeps"),
    "handlers": ("running", "cursor"),
}
OF_THEIR_NUMBERS: Final = {
    "selectors": ("set", "teller"),
    "heads": ("port", "ready", "setter", "teller"),
    "queues": ("tail", "locked", "linked", "holder"),
    "virqs": ("port",),
    "polled": ("sleep",),
    "scans": ("running", "cursor"),
    "taken": ("running", "head", "port"),
}
"""By table, all that goes with a domain: keyed by its number, by that and another, and so for its vCPUs."""


@FORGET.asks(property=(7, 19, 32))
def only_the_dying_are_forgotten_of_whom_nothing_is_left(s: State, a: Gone) -> bool:
    """The domain is dying, and has no frame, no page of Xen's and no virtual CPU any more."""
    row = s.domains[a.domain]
    return row.dying & (row.pages == 0) & (row.xen_pages == 0) & (row.vcpus == 0)


@FORGET.asks(property=(23, 32))
def nobody_is_at_work_on_a_port_of_the_forgotten(s: State, a: Gone) -> bool:
    """The domain has no port in use, and nobody tells of one that was closed."""
    channels = s.channels[a.domain]
    return (channels.active == 0) & (channels.teller == NOBODY)


@FORGET.asks(property=(28, 32))
def nobody_uses_a_grant_of_the_forgotten_nor_they_anothers(s: State, a: Gone) -> bool:
    """No entry of the domain is in use, and no handle of it is handed out."""
    table, active, mappings = s.grant_tables[a.domain], s.active, s.mappings
    end = s.grants.entries(table.version, table.frames)
    return active.each(0, end, lambda ref: Not(is_used(active[a.domain, ref]))) & mappings.each(
        0, table.handles, lambda handle: Not(mappings[a.domain, handle].taken)
    )


@FORGET.does(property=(15, 19, 32))
def the_number_is_nobodys(_: State, after: State, a: Gone) -> bool:
    """There is no such domain any more: no quota, no privilege and no feature of it is left."""
    row = after.domains[a.domain]
    state = row.exists | row.dying | row.crashed | row.privileged | row.io_rights
    assists = row.writable_pagetables | row.m2p_strict | (row.assists != 0)
    return Not(state) & Not(assists) & (row.max_pages == 0)


@FORGET.does(property=(23, 32))
def no_port_is_left_of_the_forgotten(_: State, after: State, a: Gone) -> bool:
    """No port of the number is in use, pending, masked or on a queue, by either ABI; it has no interrupt."""
    p, channels = PortId((a.domain, a.number)), after.channels[a.domain]
    port, signal, word, line = after.ports[p], after.signals[p], after.event_words[p], after.pirqs[p]
    bits = signal.pending | signal.masked | word.pending | word.masked | word.linked | word.busy
    shared = (word.link == 0) & Not(channels.fifo) & (channels.words == 0) & (channels.reset_at == 0)
    clean = Not(in_use(port)) & Not(port.saved) & (port.owed == NOBODY) & (port.vcpu == 0)
    return clean & Not(bits) & shared & channels.honest & Not(line.permitted) & (line.port == 0)


@FORGET.does(property=(24, 32))
def no_vcpu_of_the_forgotten_is_told(_: State, after: State, a: Gone) -> bool:
    """No upcall, no selector bit, no queue and no binding is left of a virtual CPU of the number."""
    v = VcpuId((a.domain, a.vcpu))
    upcall, head, queue = after.upcalls[v], after.heads[v, a.number], after.queues[v, a.number]
    taken = after.taken[v, a.number]
    bits = upcall.pending | upcall.masked | after.selectors[v, a.number].set | head.ready | queue.locked
    guest = after.handlers[v].running | after.scans[v, a.number].running | taken.running
    ports = (head.port == 0) & (queue.tail == 0) & (after.virqs[v, a.number].port == 0) & (taken.head == 0)
    return Not(bits) & Not(guest) & ports & (taken.port == 0) & Not(after.waits[v].blocked)


@FORGET.does(property=(28, 32))
def no_grant_is_left_of_the_forgotten(_: State, after: State, a: Gone) -> bool:
    """No entry of the number is remembered, no handle is of it, and its table has the old layout."""
    table, entry = after.grant_tables[a.domain], after.active[a.domain, a.number]
    handle = after.mappings[a.domain, a.number]
    entries = Not(is_used(entry)) & (entry.frame == NO_FRAME) & Not(entry.sub_page)
    handles = Not(handle.taken) & Not(handle.pinned) & (handle.frame == NO_FRAME) & (table.handles == 0)
    return entries & handles & (table.version == 1) & (table.status_frames == 0)


@FORGET.touches
def _forget(_: State, a: Gone) -> tuple[Cells, ...]:
    d, vcpus = a.domain, OfDomain(a.domain)
    return (
        Cells("domains", d, ROW),
        *(Cells(table, d, fields) for table, fields in OF_ITS_NUMBER.items()),
        *(Cells(table, (d, EVERY), fields) for table, fields in OF_ITS_NUMBERS.items()),
        *(Cells(table, vcpus, fields) for table, fields in OF_ITS_VCPUS.items()),
        *(Cells(table, (vcpus, EVERY), fields) for table, fields in OF_THEIR_NUMBERS.items()),
    )
