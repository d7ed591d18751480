"""A bound concerns only the slots that it passes: invariants do nothing else with it; nothing is missed."""

from __future__ import annotations

import ast
import inspect
import textwrap

import pytest

from xenmodel.abi.memory_map import MemoryMap
from xenmodel.abi.pte import PRESENT, entry
from xenmodel.machine import plain_machine
from xenproofs.judge.bundles import BOUNDS
from xenproofs.judge.monitor import STEP_INVARIANTS, Monitor
from xenspec.vocabulary import L1, DomId

TABLE = 0x100
SLOT = "e[1]"
BOUND = "next_slot"
READERS = [
    i for i in STEP_INVARIANTS if i.key in BOUNDS and BOUNDS[i.key][1] in inspect.getsource(i.function)
]


def uses(tree: ast.AST, bound: str) -> list[ast.AST]:
    """Return what each read of the bound stands in."""
    parents = {child: node for node in ast.walk(tree) for child in ast.iter_child_nodes(node)}
    return [parents[n] for n in ast.walk(tree) if isinstance(n, ast.Attribute) and n.attr == bound]


@pytest.mark.parametrize("invariant", READERS, ids=lambda i: i.name)
def test_invariants_only_compare_the_bound_with_the_slot(invariant: object) -> None:
    function = getattr(invariant, "function", None)
    assert callable(function)
    tree = ast.parse(textwrap.dedent(inspect.getsource(function)))
    for use in uses(tree, BOUND):
        assert isinstance(use, ast.Compare)
        assert ast.unparse(use.left) == SLOT
        assert isinstance(use.ops[0], ast.Lt | ast.GtE)


def test_there_are_such_invariants() -> None:
    assert {i.name for i in READERS} == {
        "linked_slot_is_below_next_slot",
        "present_slot_below_next_slot_is_linked",
    }


@pytest.mark.parametrize("steps", [False, True])
@pytest.mark.parametrize(("first", "then"), [(2, 6), (6, 5), (6, 512)])
def test_what_the_bound_has_passed_is_looked_at(first: int, then: int, *, steps: bool) -> None:
    m = plain_machine(MemoryMap(ram=((0, 0x200),), frames=0x200))
    frame = m.frames[TABLE]
    frame.owner, frame.allocated, frame.ref_count, frame.type = DomId(0), True, 1, L1
    frame.next_slot = first
    for slot in range(first if then > first else 0, 512):
        m.words[TABLE, slot] = entry(0x101, PRESENT)
    for slot in range(first) if then < first else ():
        m.entries[TABLE, slot].linked = True
        m.words[TABLE, slot] = entry(0x101, PRESENT)
    monitor = Monitor.over(m, steps=steps)
    monitor.start()
    monitor.recorder.drain()
    monitor.machine.frames[TABLE].next_slot = then
    found = {(v.name, v.key) for v in monitor.after_call(DomId(0))}
    if then > first:
        assert {("present_slot_below_next_slot_is_linked", (TABLE, s)) for s in range(first, then)} <= found
    else:
        assert {("linked_slot_is_below_next_slot", (TABLE, s)) for s in range(then, first)} <= found
