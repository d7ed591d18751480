"""What the guest's steps do: the protocol, stores against it, and sleeping."""

from xenproofs.judge.actions.registry import Actions, of_step
from xenspec.events.books import State
from xenspec.events.contracts import guests as g
from xenspec.events.contracts import stores as x
from xenspec.events.contracts import waiting as w
from xenspec.vocabulary import DomId, PortId, VcpuId


def running(v: VcpuId) -> Actions:
    """Run."""
    return (g.RUN.of(g.OfVcpu(v)),)


@of_step
def deliver_upcall(_: State, v: VcpuId) -> Actions:
    """Deliver an upcall, with upcalls masked."""
    delivered = g.DELIVER.of(g.OfVcpu(v))
    return *running(v), delivered, g.SET_MASK.of(g.UpcallMask(v, masked=True))


@of_step
def clear_upcall(_: State, v: VcpuId) -> Actions:
    """Clear the upcall byte."""
    return *running(v), g.ENTER.of(g.OfVcpu(v))


@of_step
def leave_handler(_: State, v: VcpuId) -> Actions:
    """Leave the handler."""
    return (g.LEAVE.of(g.OfVcpu(v)),)


@of_step
def mask_upcalls(_: State, v: VcpuId) -> Actions:
    """Mask upcalls."""
    return *running(v), g.SET_MASK.of(g.UpcallMask(v, masked=True))


@of_step
def unmask_upcalls(_: State, v: VcpuId) -> Actions:
    """Let upcalls in."""
    return *running(v), g.SET_MASK.of(g.UpcallMask(v, masked=False))


@of_step
def let_upcalls_in(_: State, v: VcpuId) -> Actions:
    """Let upcalls in on the guest's behalf."""
    return *running(v), g.SET_MASK.of(g.UpcallMask(v, masked=False))


@of_step
def take_selector(_: State, v: VcpuId) -> Actions:
    """Take a selector bit."""
    return (g.TAKE_SELECTOR.of(g.OfVcpu(v)),)


@of_step
def pass_selector(_: State, v: VcpuId) -> Actions:
    """Pass a selector bit."""
    return g.PASS_SELECTOR.of(g.OfVcpu(v)), g.PASS.of(g.OfVcpu(v))


@of_step
def take_port(_: State, v: VcpuId, p: PortId) -> Actions:
    """Handle a port of a word."""
    return (g.HANDLE.of(g.Looked(v, p)),)


@of_step
def pass_port(_: State, v: VcpuId, bank: int) -> Actions:
    """Pass a port of a word."""
    return (g.PASS_PORT.of(g.Consumed(v, bank)),)


@of_step
def take_queue(_: State, v: VcpuId) -> Actions:
    """Take a queue."""
    return (g.TAKE_QUEUE.of(g.OfVcpu(v)),)


@of_step
def pass_queue(_: State, v: VcpuId) -> Actions:
    """Pass a queue."""
    return g.PASS_QUEUE.of(g.OfVcpu(v)), g.PASS.of(g.OfVcpu(v))


@of_step
def unlink(_: State, v: VcpuId, priority: int) -> Actions:
    """Unlink the head of a queue."""
    return (g.UNLINK.of(g.Consumed(v, priority)),)


@of_step
def look_at_unlinked(_: State, v: VcpuId, priority: int) -> Actions:
    """Handle what was unlinked."""
    return (g.HANDLE_UNLINKED.of(g.Consumed(v, priority)),)


@of_step
def unmask_quiet_word(_: State, p: PortId) -> Actions:
    """Unmask a word that is not pending."""
    return (g.UNMASK_QUIET.of(g.OfPort(p)),)


@of_step
def mask_port(_: State, p: PortId) -> Actions:
    """Mask a port."""
    return (g.MASK.of(g.OfPort(p)),)


@of_step
def clear_pending(_: State, p: PortId) -> Actions:
    """Clear a pending bit."""
    return (g.UNPEND.of(g.OfPort(p)),)


# --- Against the protocol -----------------------------------------------------------------------------------


def spoiling(domain: int) -> Actions:
    """Store against the protocol."""
    return (x.SPOIL.of(x.OfDomain(DomId(domain))),)


@of_step
def scribble_signal(_: State, p: PortId, *, pending: bool, masked: bool) -> Actions:
    """Store 2-level bits."""
    return *spoiling(p[0]), x.SPOIL_SIGNAL.of(x.Signalled(p, pending, masked))


@of_step
def scribble_selector(_: State, v: VcpuId, bank: int, *, value: bool) -> Actions:
    """Store a selector bit."""
    return *spoiling(v[0]), x.SPOIL_SELECTOR.of(x.Selected(v, bank, value))


@of_step
def scribble_upcall(_: State, v: VcpuId, *, pending: bool, masked: bool) -> Actions:
    """Store upcall bytes."""
    return *spoiling(v[0]), x.SPOIL_UPCALL.of(x.Upcalled(v, pending, masked))


@of_step
def scribble_word(_: State, p: PortId, bits: tuple[bool, bool, bool, bool], link: int) -> Actions:
    """Store an event word."""
    return *spoiling(p[0]), x.SPOIL_WORD.of(x.Worded(p, bits, link))


@of_step
def scribble_head(_: State, v: VcpuId, priority: int, port: int, *, ready: bool) -> Actions:
    """Store a head."""
    return *spoiling(v[0]), x.SPOIL_HEAD.of(x.Headed(v, priority, port, ready))


# --- Sleeping -----------------------------------------------------------------------------------------------


@of_step
def fall_asleep(_: State, v: VcpuId) -> Actions:
    """Say that one sleeps."""
    return (w.SLEEP.of(g.OfVcpu(v)),)


@of_step
def stay_asleep_without_upcall(_: State, v: VcpuId) -> Actions:
    """Look whether one may sleep."""
    return (w.CHECK.of(g.OfVcpu(v)),)


@of_step
def begin_poll(_: State, v: VcpuId) -> Actions:
    """Let a pending port wake one."""
    return (w.LET_POLL.of(g.OfVcpu(v)),)


@of_step
def look_for_upcall(_: State, v: VcpuId) -> Actions:
    """Look whether one may poll."""
    return (w.CHECK_POLL.of(g.OfVcpu(v)),)


@of_step
def look_at_port(_: State, v: VcpuId, p: PortId) -> Actions:
    """Look at a port that is polled."""
    return w.BE_POLLING.of(g.OfVcpu(v)), w.LOOK_AT.of(w.Polled(v, p))


@of_step
def give_up_poll(_: State, v: VcpuId) -> Actions:
    """Give a poll up."""
    return (w.GIVE_UP.of(g.OfVcpu(v)),)


@of_step
def poll_one_port(_: State, v: VcpuId) -> Actions:
    """Poll one port."""
    return (w.SETTLE.of(g.OfVcpu(v)),)
