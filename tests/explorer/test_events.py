"""The explorer of event channels: known counts, shortest stories of planted faults, and calls as they are."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Final

import pytest

from xencheck.cli import run as command
from xencheck.exits import Exit
from xenmodel.events import arguments as calls
from xenmodel.events.calls import event_channel_op
from xenmodel.events.setup import SetPriority
from xenmodel.events.waiting import Poll, block, poll
from xenmodel.hypercall import SPIN, Call
from xenproofs.explorer.events import moves
from xenproofs.explorer.events.scopes import SCOPES, Action
from xenproofs.explorer.events.search import HANDLED, WOKEN, EventExplorer, EventWorld
from xenproofs.machines.event_faults import EXPLORED
from xenproofs.machines.faults import fault_named
from xenproofs.machines.planting import Edit, Fault, planted
from xenspec.vocabulary import DOMID_SELF, DomId

if TYPE_CHECKING:
    from collections.abc import Iterator

    from xenmodel.hypercall import Steps
    from xenproofs.explorer.events.state import Saved
    from xenproofs.explorer.search import ExploreReport
    from xenspec.vocabulary import VcpuId

SNAPSHOT: Final = Path(__file__).resolve().parent.parent / "snapshots" / "events_explorer.txt"
DEEP: Final = os.environ.get("XENCHECK_PROFILE") == "deep"
COUNTS: Final[dict[str, tuple[int, int, int]]] = {
    "send 2l": (2140, 6308, 41),
    "polls 2l": (2268, 4951, 46),
    "close 2l": (634, 1376, 51),
    "close fifo": (1578, 3225, 71),
    "reset 2l": (280, 667, 32),
    "retarget 2l": (2856, 13552, 59),
}
"""Of a scope: states, transitions, depth."""
DEEP_COUNTS: Final[dict[str, tuple[int, int, int]]] = {
    "timer 2l": (5577, 14151, 49),
    "mask 2l": (10966, 45076, 44),
    "sleep 2l": (17009, 44136, 64),
    "send fifo": (30610, 89080, 76),
    "polls fifo": (16999, 36354, 75),
    "timer fifo": (19021, 45498, 74),
    "apart 2l": (10428, 31068, 60),
    "apart fifo": (77544, 224606, 91),
    "ports 2l": (58130, 181067, 60),
    "retarget fifo": (37738, 179970, 87),
    "sleep fifo": (52143, 131540, 80),
    "mask fifo": (95689, 381752, 79),
    "priority fifo": (63344, 253474, 93),
}
KNOWN_ALL: Final = COUNTS | DEEP_COUNTS
KNOWN: Final = COUNTS | DEEP_COUNTS if DEEP else COUNTS


@pytest.mark.parametrize("scope", KNOWN)
def test_it_visits_what_it_is_known_to_visit(scope: str) -> None:
    report = EventExplorer(SCOPES[scope]).run()
    assert not report.violations
    assert report.complete
    assert (report.states, report.transitions, report.depth) == KNOWN[scope]


@pytest.mark.skipif(not DEEP, reason="takes a minute: XENCHECK_PROFILE=deep")
def test_a_guest_that_empties_a_queue_first_may_starve_a_more_urgent_one() -> None:
    stays = Edit("events.guest:look_at_unlinked", "m.handlers[v].cursor = 0", "pass")
    report = explored("priority fifo", Fault("empties_a_queue_first", "", (stays,), (HANDLED,)))
    (violation,) = report.violations
    assert violation.invariant == HANDLED
    assert "for ever" in violation.text


def explored(scope: str, fault: Fault, *, books: bool = True) -> ExploreReport:
    """Explore a scope that was made without the fault, with it."""
    explorer = EventExplorer(SCOPES[scope], books=books)
    with planted(fault):
        return explorer.run()


def line(name: str, scope: str, report: ExploreReport) -> str:
    """Return the line of the table for one exploration."""
    (violation,) = report.violations
    return f"{name:<38}{scope:<15}{violation.invariant:<48}{len(violation.story):>3} steps"


@pytest.mark.parametrize("name", EXPLORED)
def test_a_planted_fault_has_the_kept_shortest_story(name: str) -> None:
    fault = fault_named(name)
    assert fault is not None
    report = explored(EXPLORED[name], fault)
    assert {violation.invariant for violation in report.violations} & {*fault.breaks}
    assert line(name, EXPLORED[name], report) in SNAPSHOT.read_text("utf-8").splitlines()


def test_the_pages_tell_what_is_kept() -> None:
    docs = SNAPSHOT.parent.parent.parent / "docs"
    lines = (one.split("|") for one in (docs / "events.md").read_text("utf-8").splitlines())
    rows = [[cell.strip() for cell in cells] for cells in lines if len(cells) > 6]
    counted = {scope: tuple(f"{number:,}" for number in KNOWN_ALL[scope]) for scope in KNOWN_ALL}
    assert {(cells[1].strip("`"), *cells[3:6]) for cells in rows} >= {(s, *n) for s, n in counted.items()}
    told = [one for one in (docs / "faults.md").read_text("utf-8").splitlines() if one.startswith("| `")]
    for kept in SNAPSHOT.read_text("utf-8").splitlines():
        name, scope, steps = kept[:38].strip(), kept[38:53].strip(), kept.split()[-2]
        assert [one for one in told if f"| `{name}` |" in one and f"`{scope}`: {steps}," in one], name


STAYING: Final = Fault(
    "handler_stays_at_a_port",
    "A handler looks at a port again until it is quiet.",
    (Edit("events.guest:take_port", "scan.cursor = scan.cursor + 1", "pass"),),
    (HANDLED,),
)


def test_a_handler_that_stays_at_a_port_starves_the_next_one() -> None:
    (violation,) = explored("polls 2l", STAYING).violations
    assert violation.invariant == HANDLED
    assert "for ever" in violation.text
    assert sum(told.startswith("again and again") for told in violation.story) == 1


UNSEEN: Final = Fault(
    "polled_without_a_look_and_unseen",
    "A vCPU does not look at the ports that it polls for, and no row says that it has.",
    (
        Edit("events.waiting:look_at_port", "found = is_pending(m, p)", "found = False"),
        Edit("events.waiting:look_at_port", "polled.sleep = ite(found, polled.sleep, wait.sleeps)", "pass"),
    ),
    (WOKEN,),
)


def test_a_poller_that_is_not_woken_is_found_without_any_invariant() -> None:
    (violation,) = explored("polls 2l", UNSEEN, books=False).violations
    assert violation.invariant == WOKEN


def test_a_step_that_changes_the_set_of_pending_ports_otherwise_is_found() -> None:
    edit = Edit("events.guest:pass_port", "scan.cursor = scan.cursor + 1", "m.signals[v[0], 1].masked = True")
    fault = Fault("masks", "Going on masks a port.", (edit,), ())
    (violation,) = explored("send 2l", fault).violations
    assert violation.invariant == "abi_refines_the_pending_set"


@pytest.mark.parametrize("name", ["close", *(("send", "mask", "polls") if DEEP else ())])
def test_both_abis_reach_the_same_sets_of_pending_ports(name: str) -> None:
    reached: list[set[object]] = []
    for abi in ("2l", "fifo"):
        explorer = EventExplorer(SCOPES[f"{name} {abi}"])
        explorer.run()
        reached.append(set())
        for state in explorer.states:
            explorer.world.restore(state)
            assert isinstance(explorer.world, EventWorld)
            reached[-1].add(explorer.world.pending())
    assert reached[0] == reached[1]


def whole_call(x: Call, one: Action) -> Steps[object]:
    """Return the model's own call for an action."""
    first, second, *_ = (*one.numbers, 0, 0)
    if one.kind in ("block", "poll"):
        return block(x) if one.kind == "block" else poll(x, Poll(one.numbers))
    made: dict[str, calls.EventCall] = {
        "send": calls.Send(first),
        "unmask": calls.Unmask(first),
        "close": calls.Close(first),
        "alloc": calls.AllocUnbound(DOMID_SELF, DomId(1 - x.domain)),
        "bind": calls.BindInterdomain(DomId(1 - x.domain), first),
        "retarget": calls.BindVcpu(first, second),
        "priority": SetPriority(first, second),
        "reset": calls.Reset(DOMID_SELF),
    }
    return event_channel_op(x, made[one.kind])


def alone(world: EventWorld, v: VcpuId, one: Action) -> bool:
    """Make an action of the explorer, with nobody else acting; return whether it came to its end."""
    keeper, scope = world.keeper, world.scope
    if not moves.happen(keeper, scope, moves.Transition(v, moves.GUEST, one.kind, one.numbers)):
        return False
    while moves.in_call(keeper, v):
        (mine,) = (t for t in moves.transitions(keeper, scope) if t.vcpu == v)
        if not moves.happen(keeper, scope, mine):
            return False
    return True


OWN_STEPS: Final = {"mask", "clear", "quiet", "cli", "interrupt"}


def begun(world: EventWorld, states: list[Saved]) -> Iterator[tuple[Saved, VcpuId, Action]]:
    """Give each call that may begin in one of the states."""
    for state in states:
        world.restore(state)
        awake = [v for v in world.keeper.acting if not world.keeper.m.waits[v].blocked]
        idle = [v for v in awake if not moves.in_call(world.keeper, v)]
        yield from (
            (state, v, one) for v in idle for one in world.scope.actions[v] if one.kind not in OWN_STEPS
        )


@pytest.mark.parametrize("scope", ["close 2l", "close fifo", "reset 2l", "polls 2l", "retarget 2l"])
def test_what_it_makes_of_a_call_is_what_the_model_makes_of_it(scope: str) -> None:
    explorer = EventExplorer(SCOPES[scope])
    explorer.run()
    world, compared = explorer.world, 0
    assert isinstance(world, EventWorld)
    for state, v, one in list(begun(world, [*explorer.states[:: len(explorer.states) // 90]])):
        world.restore(state)
        if not alone(world, v, one):
            continue
        mine = world.keeper.plain().rows
        world.restore(state)
        steps = list(whole_call(Call(world.keeper.m, v, DomId(v[0])), one))
        assert SPIN not in steps
        assert world.keeper.plain().rows == mine, (v, str(one))
        compared += 1
    assert compared > 10


def test_the_command_explores_event_channels(capsys: pytest.CaptureFixture[str]) -> None:
    assert command(["explore", "events", "--scope", "reset 2l"]) == Exit.HOLDS
    assert f"{COUNTS['reset 2l'][0]} states" in capsys.readouterr().out
    code = command(["explore", "events", "--scope", "reset 2l", "--fault", "reset_races_send"])
    assert code == Exit.VIOLATED
    assert "notice_holds_its_port" in capsys.readouterr().out
    assert command(["explore", "events", "--scope", "alone"]) == Exit.BAD_INPUT
