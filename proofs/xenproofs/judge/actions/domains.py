"""What the steps of domains do."""

from xenproofs.judge.actions.registry import Actions, of_step
from xenspec.domains.books import State
from xenspec.domains.contracts import beginning as b
from xenspec.domains.contracts import ending as e
from xenspec.domains.contracts import forgetting as g
from xenspec.domains.contracts import running as r
from xenspec.memory.contracts import keeping as k_
from xenspec.vocabulary import DomId, FlightId, VcpuId


@of_step
def create_domain(
    _: State, caller: DomId, d: DomId, size: tuple[int, int], *, privileged: bool = False
) -> Actions:
    """Make a domain."""
    return (b.MAKE.of(b.Made(caller, d, size[0], size[1], privileged)),)


@of_step
def bury(_: State, d: DomId, *, any_slot: int, any_number: int) -> Actions:
    """Forget a domain."""
    return (g.FORGET.of(g.Gone(d, any_slot, any_number)),)


@of_step
def begin_destroy(_: State, caller: DomId, d: DomId) -> Actions:
    """Begin the end of a domain."""
    return (e.DESTROY.of(e.Ended(caller, d)),)


@of_step
def crash(_: State, domain: DomId) -> Actions:
    """Crash a domain."""
    return (e.CRASH.of(e.OfDomain(domain)),)


@of_step
def forget_callbacks(_: State, v: VcpuId) -> Actions:
    """Forget where a dying domain's vCPU is entered."""
    return e.OF_DYING.of(e.OfVcpu(v)), e.FORGET_CALLBACKS.of(e.OfVcpu(v))


@of_step
def bury_vcpu(_: State, v: VcpuId) -> Actions:
    """Forget a dying domain's vCPU."""
    return e.OF_DYING.of(e.OfVcpu(v)), e.BURY.of(e.OfVcpu(v))


@of_step
def release_eoi_frame(s: State, k: FlightId, d: DomId) -> Actions:
    """Take a dying domain's page of handled interrupts."""
    back = k_.GIVE_BACK.of(k_.GivenBack(k, s.eoi_frames[d].frame))
    return back, e.DROP_EOI.of(e.OfDomain(d))


@of_step
def release_vcpu_info(s: State, k: FlightId, v: VcpuId) -> Actions:
    """Take a dying domain's information page of a vCPU."""
    back = k_.GIVE_BACK.of(k_.GivenBack(k, s.vcpus[v].info_frame))
    return back, e.OF_DYING.of(e.OfVcpu(v)), e.DROP_INFO.of(e.OfVcpu(v))


@of_step
def take_partial(_: State, k: FlightId) -> Actions:
    """Take a dying domain's waiting demotion over."""
    return (e.TAKE_OVER.of(e.InFlight(k)),)


# --- Running ------------------------------------------------------------------------------------------------


@of_step
def enter_user(_: State, v: VcpuId) -> Actions:
    """Enter user mode."""
    return r.TO_USER.of(r.OfVcpu(v)), r.LOAD_BASE.of(r.OfVcpu(v))


@of_step
def enter_kernel(_: State, v: VcpuId) -> Actions:
    """Enter the kernel."""
    return r.TO_KERNEL.of(r.OfVcpu(v)), r.LOAD_BASE.of(r.OfVcpu(v))


@of_step
def set_callback(_: State, v: VcpuId, kind: int, address: int) -> Actions:
    """Set a callback."""
    return (r.SET_CALLBACK.of(r.Placed(v, kind, address)),)


@of_step
def set_handler(_: State, v: VcpuId, vector: int, selector: int, flags: int, address: int) -> Actions:
    """Set an exception's handler."""
    return (r.SET_TRAP.of(r.Trapped(v, vector, selector, flags, address)),)


@of_step
def set_base(_: State, v: VcpuId, which: int, base: int) -> Actions:
    """Set a segment base."""
    return (r.SET_SEGMENT.of(r.Placed(v, which, base)),)


@of_step
def set_stack(_: State, v: VcpuId, selector: int, pointer: int) -> Actions:
    """Set the kernel's stack."""
    return (r.SET_STACK.of(r.Stacked(v, selector, pointer)),)


@of_step
def set_task_switched(_: State, v: VcpuId, *, on: bool) -> Actions:
    """Set CR0.TS."""
    return (r.SET_TS.of(r.Switched(v, on)),)


@of_step
def set_alarm(_: State, v: VcpuId, moment: int) -> Actions:
    """Set the single-shot timer."""
    return (r.SET_ALARM.of(r.Timed(v, moment)),)


@of_step
def set_period(_: State, v: VcpuId, period: int) -> Actions:
    """Set the periodic timer."""
    return (r.SET_PERIOD.of(r.Timed(v, period)),)


@of_step
def set_runstate_area(_: State, v: VcpuId, address: int) -> Actions:
    """Set the runstate area."""
    return (r.SET_RUNSTATE.of(r.Timed(v, address)),)


@of_step
def create_vcpu(_: State, v: VcpuId, d: DomId) -> Actions:
    """Give a domain a vCPU."""
    return (r.CREATE.of(r.Created(v, d)),)


@of_step
def mark_initialised(_: State, v: VcpuId) -> Actions:
    """Initialise a vCPU."""
    return (r.INITIALISE.of(r.OfVcpu(v)),)


@of_step
def mark_up(_: State, v: VcpuId, *, up: bool) -> Actions:
    """Bring a vCPU up or down."""
    return (r.BE_UP.of(r.Switched(v, up)),)


@of_step
def switch_assist(_: State, domain: DomId, kind: int, *, on: bool) -> Actions:
    """Switch a feature of a domain."""
    return (r.ASSIST.of(r.Assisted(domain, kind, on)),)
