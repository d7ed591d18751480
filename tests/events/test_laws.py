"""Both ABIs are the same set of pending and masked ports: one script, one outcome, but for its order."""

from __future__ import annotations

from typing import Final

from hypothesis import given
from hypothesis import strategies as st

from tests.events.world import DOMAINS, World
from xenmodel.events import arguments as calls
from xenmodel.events import guest
from xenmodel.events.delivery import raise_virq
from xenmodel.events.waiting import is_pending
from xenmodel.hypercall import run
from xenspec.vocabulary import DOMID_IDLE, FREE, RESERVED, PortId, VcpuId

MOST_PORT: Final = 6
PORTS: Final = st.integers(0, MOST_PORT)
NUMBERS: Final = st.integers(0, 1)
VCPUS: Final = st.sampled_from([VcpuId((domain, number)) for domain in DOMAINS for number in range(2)])
EVENT_CALLS: Final[st.SearchStrategy[calls.EventCall]] = st.one_of(
    st.builds(calls.AllocUnbound, st.sampled_from([0, 1, 0x7FF0, 5]), NUMBERS),
    st.builds(calls.BindInterdomain, NUMBERS, PORTS),
    st.builds(calls.BindVirq, st.sampled_from([0, 3, 24]), NUMBERS),
    st.builds(calls.BindIpi, st.integers(0, 2)),
    st.builds(calls.BindVcpu, PORTS, NUMBERS),
    st.builds(calls.Close, PORTS),
    st.builds(calls.Send, PORTS),
    st.builds(calls.Unmask, PORTS),
    st.builds(calls.Status, NUMBERS, PORTS),
)
ACTS: Final = st.lists(
    st.one_of(
        st.tuples(VCPUS, EVENT_CALLS),
        st.tuples(VCPUS, st.sampled_from(["handle", "virq 0", "virq 3"])),
        st.tuples(VCPUS, st.builds("mask {}".format, PORTS)),
    ),
    max_size=40,
)


def _told(world: World, v: VcpuId, act: calls.EventCall | str) -> object:
    """Do one thing; return what shows of it: the answer, or which ports were handled."""
    m = world.m
    if isinstance(act, calls.Close):
        for own in range(2):  # by the FIFO ABI a port is not handed out while its word is still on a queue
            world.handle(VcpuId((v[0], own)))
    if not isinstance(act, str):
        return world.ask(v, act)
    kind, _, number = act.partition(" ")
    if kind == "handle":
        return sorted(world.handle(v))
    if kind == "virq":
        run(raise_virq(m, VcpuId((DOMID_IDLE, 0)), v, int(number)))
    elif m.ports[v[0], int(number)].state not in (FREE, RESERVED):
        guest.mask_port(m, PortId((v[0], int(number))))
    return None


def _shown(world: World) -> list[object]:
    """Return the abstract state: what each port is, whether it is pending and masked, who has an upcall."""
    m = world.m
    rows: list[object] = []
    for domain in DOMAINS:
        masked = m.event_words if m.channels[domain].fifo else m.signals
        for number in range(1, MOST_PORT + 3):
            p = PortId((domain, number))
            port = m.ports[p]
            if port.state != FREE:
                rows.append((p, port.state, port.vcpu, is_pending(m, p), masked[p].masked))
    return rows


def _outcome(acts: list[tuple[VcpuId, calls.EventCall | str]], *, fifo: bool) -> list[object]:
    world = World(fifo=fifo)
    outcome: list[object] = []
    for v, act in acts:
        outcome.append((_told(world, v, act), _shown(world)))
    world.check()
    return outcome


def _without_moves(act: tuple[VcpuId, calls.EventCall | str]) -> bool:
    """A port that is moved while pending is handled where it was told before; which vCPU may differ."""
    return not isinstance(act[1], calls.BindVcpu)


@given(acts=ACTS)
def test_one_script_has_one_outcome_by_either_abi(acts: list[tuple[VcpuId, calls.EventCall | str]]) -> None:
    script = [act for act in acts if _without_moves(act)]
    for two_level, fifo in zip(_outcome(script, fifo=False), _outcome(script, fifo=True), strict=True):
        assert two_level == fifo


@given(acts=ACTS)
def test_every_event_that_is_told_is_handled(acts: list[tuple[VcpuId, calls.EventCall | str]]) -> None:
    for fifo in (False, True):
        world = World(fifo=fifo)
        for v, act in acts:
            _told(world, v, act)
        for domain in DOMAINS:
            for number in range(2):
                world.handle(VcpuId((domain, number)))
            for number in range(1, MOST_PORT + 3):
                _settled(world, PortId((domain, number)))


def _settled(world: World, p: PortId) -> None:
    row = world.m.event_words[p] if world.m.channels[p[0]].fifo else world.m.signals[p]
    assert not row.pending or row.masked, f"port {p} is pending, not masked, and nobody handled it"
