"""A vCPU's timers, as far as the clock does not matter: what is asked, and which requests are refused.

VCPUOP_set_singleshot_timer and its kin (xen/common/domain.c). When a timer rings is the environment's; a
moment that has passed rings at once. VCPUOP_register_runstate_memory_area is here too: it is about time.
"""

from xenmodel.hypercall import Call, Steps
from xenmodel.machine import Machine
from xenmodel.step import step
from xenspec.vocabulary import EFAULT, EINVAL, ENOENT, VcpuId

SHORTEST_PERIOD = 1_000_000
LONGEST_PERIOD = (1 << 62) - 1
"""Nanoseconds of a periodic timer (STIME_DELTA_MAX)."""


@step("vcpus.alarm")
def set_alarm(m: Machine, v: VcpuId, moment: int) -> None:
    """Store when the single-shot timer of a vCPU rings, in nanoseconds since the start; 0 is never."""
    m.vcpus[v].alarm = moment


@step("vcpus.period")
def set_period(m: Machine, v: VcpuId, period: int) -> None:
    """Store the period of a vCPU's periodic timer, in nanoseconds; 0 is none."""
    m.vcpus[v].period = period


@step("vcpus.runstate_area")
def set_runstate_area(m: Machine, v: VcpuId, address: int) -> None:
    """Store where the guest wants to be told how a vCPU spends its time."""
    m.vcpus[v].runstate_area = address


def _absent(x: Call, v: VcpuId) -> bool:
    return v[1] >= x.m.domains[x.domain].vcpus


def set_singleshot(x: Call, v: VcpuId, moment: int) -> Steps[int]:
    """VCPUOP_set_singleshot_timer, and stop_singleshot_timer (moment 0): for the caller itself alone."""
    if _absent(x, v):
        return -ENOENT
    if v != x.vcpu:
        return -EINVAL
    set_alarm(x.m, v, moment)
    yield set_alarm
    return 0


def set_periodic(x: Call, v: VcpuId, period: int) -> Steps[int]:
    """VCPUOP_set_periodic_timer, and stop_periodic_timer (period 0)."""
    if _absent(x, v):
        return -ENOENT
    if period and not SHORTEST_PERIOD <= period <= LONGEST_PERIOD:
        return -EINVAL
    set_period(x.m, v, period)
    yield set_period
    return 0


def register_runstate(x: Call, v: VcpuId, address: int) -> Steps[int]:
    """VCPUOP_register_runstate_memory_area: the area must not be Xen's."""
    if _absent(x, v):
        return -ENOENT
    if not x.m.pte.guest_address(address):
        return -EFAULT
    set_runstate_area(x.m, v, address)
    yield set_runstate_area
    return 0
