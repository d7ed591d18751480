"""Domains come and go: creation with a reservation, and destruction (XEN_DOMCTL_createdomain, destroydomain).

A control domain creates and destroys; the first domain is created by Xen itself when it boots (DOMID_XEN).
A domain is admitted whole or not at all: its reservation must fit its maximum and the memory that is left.

A destroyed domain is dying, runs nowhere and gives up what it holds; it is gone, and its number free again,
when the last of its frames is: a frame that another domain still maps keeps it in between. Frames are
scrubbed before they come to anybody else (`allocate`).
"""

from dataclasses import dataclass

from xenmodel.domains.relinquish import PageList, leave_cpus, relinquish
from xenmodel.domains.rows import Domain
from xenmodel.events.rows import (
    NO_PORT,
    NOBODY,
    Binding,
    Channels,
    EventWord,
    Handler,
    Head,
    Line,
    PolledPort,
    Port,
    Queue,
    Scan,
    Selector,
    Signal,
    Taken,
    Upcall,
    Wait,
)
from xenmodel.grants.entries import entry_count, is_pinned
from xenmodel.grants.rows import ActiveGrant, GrantTable, Mapping
from xenmodel.grants.versions import drop_table
from xenmodel.hypercall import Call, Continuation, Preempted, Result, Steps
from xenmodel.machine import Machine
from xenmodel.memory.memory_op import Allocator, flush_free
from xenmodel.memory.reservation import allocate, set_allocated_m2p
from xenmodel.memory.rows import NO_FRAME
from xenmodel.step import Refused, require, step
from xenspec.logic import Not, either
from xenspec.vocabulary import (
    DOMID_FIRST_RESERVED,
    DOMID_XEN,
    EAGAIN,
    EEXIST,
    EINVAL,
    ENOMEM,
    EPERM,
    ESRCH,
    DomId,
    Mfn,
    VcpuId,
)

MAX_VCPUS = 8192
"""Largest number of a PV domain's vCPUs."""


@dataclass(frozen=True, slots=True)
class CreateDomain:
    """A domain to be: `reservation` frames at once, `max_pages` at most; pseudo-physical frames from 0 on."""

    domain: DomId
    vcpus: int
    max_pages: int
    reservation: int
    allocator: Allocator
    pages: PageList
    """Finds the frames again if the creation is undone."""
    privileged: bool = False


@dataclass(frozen=True, slots=True)
class DestroyDomain:
    """XEN_DOMCTL_destroydomain."""

    domain: DomId
    pages: PageList


@dataclass(frozen=True, slots=True)
class Created:
    """What a creation answers: 0 or an errno, and the new domain's frames in pseudo-physical order."""

    rc: int
    frames: tuple[Mfn, ...] = ()


def _require_authority(m: Machine, caller: DomId) -> None:
    """Refuse all but control domains, and Xen itself."""
    require(
        "the caller is a control domain",
        either(caller == DOMID_XEN, lambda: m.domains[caller].privileged),
        EPERM,
    )


@step("domains.exists", "domains.privileged", "domains.io_rights", "domains.vcpus", "domains.max_pages")
def create_domain(
    m: Machine, caller: DomId, d: DomId, size: tuple[int, int], *, privileged: bool = False
) -> None:
    """Make a domain of `size`: (vCPUs, most frames); only Xen itself makes a control domain."""
    _require_authority(m, caller)
    require("the number is a domain's", (d >= 0) & (d < DOMID_FIRST_RESERVED), EINVAL)
    row = m.domains[d]
    require("no domain has the number", Not(row.exists), EEXIST)
    require("there is a vCPU, and not too many", (size[0] > 0) & (size[0] <= MAX_VCPUS), EINVAL)
    require("the maximum is one", size[1] >= 0, EINVAL)
    require("Xen makes control domains", Not(privileged) | (caller == DOMID_XEN), EPERM)
    row.exists = True
    row.privileged = privileged
    row.io_rights = privileged
    row.vcpus = size[0]
    row.max_pages = size[1]


@step("vcpus.domain")
def create_vcpu(m: Machine, v: VcpuId, d: DomId) -> None:
    """Give a domain one of its vCPUs, not initialised; it is of the domain that its number names."""
    row = m.domains[d]
    require("the domain lives", row.exists & Not(row.dying), ESRCH)
    require("the vCPU is one of the domain's", (v[0] == d) & (v[1] < row.vcpus), EINVAL)
    require("the vCPU is new", Not(m.vcpus[v].initialised), EEXIST)
    m.vcpus[v].domain = d


@step("domains.dying")
def begin_destroy(m: Machine, caller: DomId, d: DomId) -> None:
    """Mark a domain as dying; it is given nothing any more (domain_kill)."""
    _require_authority(m, caller)
    row = m.domains[d]
    require("the domain exists", row.exists, ESRCH)
    require("it is no control domain, and so not the caller", Not(row.privileged), EINVAL)
    row.dying = True


MEMORY_OF_VCPU = (
    "vcpus.initialised",
    "vcpus.up",
    "vcpus.user_mode",
    "vcpus.cpu",
    "vcpus.fs_base",
    "vcpus.gs_base_user",
    "vcpus.gs_base_kernel",
    "vcpus.kernel_ss",
    "vcpus.kernel_sp",
    "vcpus.task_switched",
)
CALLBACKS_OF_VCPU = (
    "vcpus.event_callback",
    "vcpus.failsafe_callback",
    "vcpus.syscall_callback",
    "vcpus.sysenter_callback",
    "vcpus.syscall32_callback",
    "vcpus.alarm",
    "vcpus.period",
    "vcpus.runstate_area",
)
WAITING_OF_VCPU = ("waits.blocked", "waits.polling", "waits.poll_port", "waits.checking", "waits.looked")
"""What of a vCPU is forgotten, in two steps."""


@step(*CALLBACKS_OF_VCPU)
def forget_callbacks(m: Machine, v: VcpuId) -> None:
    """Forget where a dying domain's vCPU wanted to be entered, and its timers."""
    vcpu = m.vcpus[v]
    require("its domain is dying", m.domains[vcpu.domain].dying, EAGAIN)
    vcpu.event_callback = 0
    vcpu.failsafe_callback = 0
    vcpu.syscall_callback = 0
    vcpu.sysenter_callback = 0
    vcpu.syscall32_callback = 0
    vcpu.alarm = 0
    vcpu.period = 0
    vcpu.runstate_area = 0


@step(*MEMORY_OF_VCPU, *WAITING_OF_VCPU, "domains.vcpus")
def bury_vcpu(m: Machine, v: VcpuId) -> None:
    """Forget the last of a dying domain's vCPUs, which holds nothing any more (complete_domain_destroy)."""
    vcpu, row, wait = m.vcpus[v], m.domains[v[0]], m.waits[v]
    require("its domain is dying", row.dying, EAGAIN)
    require("it is the last that its domain has", (v[1] >= 0) & (v[1] == row.vcpus - 1), EAGAIN)
    require("it runs on no CPU", m.cpus[vcpu.cpu].current != v, EAGAIN)
    require("no port tells it of events", m.channels[v[0]].active == 0, EAGAIN)
    require("it has no tables", (vcpu.base == NO_FRAME) & (vcpu.user_base == NO_FRAME), EAGAIN)
    require("it has no old table", vcpu.old_table == NO_FRAME, EAGAIN)
    require("it has no information page", vcpu.info_frame == NO_FRAME, EAGAIN)
    require("it has no descriptors", (vcpu.gdt_entries == 0) & (vcpu.ldt_entries == 0), EAGAIN)
    vcpu.initialised = False
    vcpu.up = False
    vcpu.user_mode = False
    vcpu.cpu = 0
    vcpu.fs_base = 0
    vcpu.gs_base_user = 0
    vcpu.gs_base_kernel = 0
    vcpu.kernel_ss = 0
    vcpu.kernel_sp = 0
    vcpu.task_switched = False
    wait.blocked = False
    wait.polling = False
    wait.poll_port = NO_PORT
    wait.checking = False
    wait.looked = NO_PORT
    row.vcpus = v[1]


def _all(table: str, row: type, *kept: str) -> tuple[str, ...]:
    """Return the names of a table's fields, but for some."""
    names: tuple[str, ...] = getattr(row, "__slots__", ())
    return tuple(f"{table}.{name}" for name in names if name not in kept)


EVENTS_OF_DOMAIN = (
    *_all("channels", Channels),
    *_all("ports", Port, "readers"),
    *_all("signals", Signal),
    *_all("selectors", Selector),
    *_all("upcalls", Upcall),
    *_all("event_words", EventWord),
    *_all("heads", Head),
    *_all("queues", Queue),
    *_all("virqs", Binding),
    *_all("pirqs", Line),
    *_all("waits", Wait),
    *_all("polled", PolledPort),
    *_all("handlers", Handler),
    *_all("scans", Scan),
    *_all("taken", Taken),
)
GRANTS_OF_DOMAIN = (
    *_all("grant_tables", GrantTable),
    *_all("active", ActiveGrant),
    *_all("mappings", Mapping),
)
"""What goes with a domain, since it is in its structure, or in pages that Xen made for it."""


@step(*_all("domains", Domain), *EVENTS_OF_DOMAIN, *GRANTS_OF_DOMAIN)
def bury(m: Machine, d: DomId) -> None:
    """Forget a dying domain of which nothing is left: its number is free (complete_domain_destroy).

    All that Xen keeps of it, and what the domain shared with Xen, is in structures and pages that are freed
    now; another domain of the number gets new ones.
    """
    row, channels, table = m.domains[d], m.channels[d], m.grant_tables[d]
    active, mappings = m.active, m.mappings
    require("the domain is dying", row.dying, EAGAIN)
    require("it has no frame left, nor one of Xen's", (row.pages == 0) & (row.xen_pages == 0), EAGAIN)
    require("it has no vCPU left", row.vcpus == 0, EAGAIN)
    require("it has no port in use", channels.active == 0, EAGAIN)
    require("nobody tells of its closed ports", channels.teller == NOBODY, EAGAIN)
    unused = active.each(0, entry_count(m, d), lambda ref: Not(is_pinned(active[d, ref])))
    require("nobody uses its grants", unused, EAGAIN)
    free = mappings.each(0, table.handles, lambda handle: Not(mappings[d, handle].taken))
    require("it has no handle", free, EAGAIN)
    m.domains.forget(d)
    m.channels.forget(d)
    m.ports.forget(d, "readers")  # of notices, of which none is left
    m.signals.forget(d)
    m.selectors.forget(d)
    m.upcalls.forget(d)
    m.event_words.forget(d)
    m.heads.forget(d)
    m.queues.forget(d)
    m.virqs.forget(d)
    m.pirqs.forget(d)
    m.waits.forget(d)
    m.polled.forget(d)
    m.handlers.forget(d)
    m.scans.forget(d)
    m.taken.forget(d)
    m.grant_tables.forget(d)
    m.active.forget(d)
    m.mappings.forget(d)


def create(x: Call, call: CreateDomain) -> Steps[Created]:
    """Create a domain with its reservation, or leave everything as it was; half a control domain stays."""
    m, d = x.m, call.domain
    if call.reservation > call.max_pages:
        return Created(-EINVAL)
    yield from bury_if_gone(x, d)
    try:
        create_domain(m, x.domain, d, (call.vcpus, call.max_pages), privileged=call.privileged)
        yield create_domain
    except Refused as refusal:
        return Created(-refusal.errno)
    for number in range(call.vcpus):
        create_vcpu(m, VcpuId((d, number)), d)
        yield create_vcpu
    frames: list[Mfn] = []
    while len(frames) < call.reservation:
        f = call.allocator(0)
        if f is None:
            if not call.privileged:
                yield from _undo(x, call)
            return Created(-ENOMEM)  # without its control domain, real Xen does not boot: it panics
        yield from flush_free(x, f)
        allocate(m, f, d)
        yield allocate
        set_allocated_m2p(m, f, d, len(frames))
        yield set_allocated_m2p
        frames.append(f)
    return Created(0, tuple(frames))


def _undo(x: Call, call: CreateDomain) -> Steps[None]:
    """Destroy what a creation has made so far."""
    while True:
        result = yield from destroy(x, DestroyDomain(call.domain, call.pages))
        if result.continuation is None:
            return


def destroy(x: Call, call: DestroyDomain) -> Steps[Result]:
    """Destroy a domain; a preempted call is made again. A second destruction finds nothing left to do."""
    m, d = x.m, call.domain
    try:
        begin_destroy(m, x.domain, d)
        yield begin_destroy
    except Refused as refusal:
        return Result(rc=-refusal.errno)
    yield from leave_cpus(x, d)
    try:
        yield from relinquish(x, d, call.pages)
    except Preempted:
        return Result(continuation=Continuation("destroy", call, 0))
    yield from bury_if_gone(x, d)
    return Result()


def bury_if_gone(x: Call, d: DomId) -> Steps[bool]:
    """Forget a dying domain if nobody holds a frame of it any more; return whether the number is free."""
    m = x.m
    row = m.domains[d]
    if not row.exists:
        return True
    if not row.dying or row.pages:
        return False
    yield from drop_table(m, d)
    if row.xen_pages:
        return False
    for number in reversed(range(row.vcpus)):
        forget_callbacks(m, VcpuId((d, number)))
        yield forget_callbacks
        bury_vcpu(m, VcpuId((d, number)))
        yield bury_vcpu
    bury(m, d)
    yield bury
    return True
