"""Contracts of actions: complete sentences, the steps' own arguments, and broken steps are noticed twice."""

from __future__ import annotations

import ast
import gc
import importlib
import inspect
import pkgutil
from itertools import chain
from typing import TYPE_CHECKING, Final

import pytest

from tests.refinement.test_transitions import machine
from xenmodel.memory.rows import HELD, IDLE, REF
from xenmodel.step import STEPS, WATCHERS, Refused
from xenproofs.bugs.rewriter import Edit, edited_function
from xenproofs.judge.actions import ACTIONS, ANY_NUMBER, ANY_SLOT
from xenproofs.judge.contracts import FRAME_CONDITION
from xenproofs.judge.monitor import Monitor
from xenproofs.obligations.failing import bare
from xenproofs.obligations.mutants import judge
from xenproofs.obligations.proving import Options, StepProof
from xenproofs.obligations.refusing import NOT_REFUSED
from xenproofs.obligations.subjects import subject, subjects
from xenspec.contract import Contract
from xenspec.domains import contracts as domain_contracts
from xenspec.events import contracts as event_contracts
from xenspec.grants import contracts as grant_contracts
from xenspec.memory import contracts
from xenspec.tlb import contracts as tlb_contracts
from xenspec.vocabulary import WRITABLE, DomId, FlightId, Mfn, VcpuId

if TYPE_CHECKING:
    from collections.abc import Iterator

    from xenspec.contract import Clause

PACKAGES: Final = (contracts, tlb_contracts, grant_contracts, event_contracts, domain_contracts)
F: Final = Mfn(0x150)
K: Final = FlightId((VcpuId((1, 0)), 0))


def clauses() -> Iterator[Clause[object]]:
    """Give every clause of every contract of the specification."""
    modules = (pkgutil.iter_modules(p.__path__, f"{p.__name__}.") for p in PACKAGES)
    for value in (v for m in chain(*modules) for v in vars(importlib.import_module(m.name)).values()):
        yield from _of(value)


def _of(value: object) -> Iterator[Clause[object]]:
    if isinstance(value, Contract):
        yield from value.clauses()  # pyright: ignore[reportUnknownMemberType, reportUnknownVariableType]


def test_clauses_have_names_of_their_own_and_sentences() -> None:
    found = {id(c.function): c for c in clauses()}
    names = [c.name for c in found.values()]
    assert len(set(names)) == len(names) > 80
    assert all(c.sentence.endswith(".") and c.properties for c in found.values())


@pytest.mark.parametrize("name", sorted(ACTIONS))
def test_what_a_step_does_is_told_of_its_own_arguments(name: str) -> None:
    _, *told = inspect.signature(ACTIONS[name]).parameters
    assert {*told} - {ANY_SLOT, ANY_NUMBER} <= {p.name for p in subjects()[name].parameters}


# --- At run time --------------------------------------------------------------------------------------------


def monitored() -> Monitor:
    """Return a monitor over a domain with one frame, which a flight holds."""
    m = machine()
    frame = m.frames[F]
    frame.owner, frame.allocated, frame.ref_count = DomId(1), True, 2
    frame.validated = True
    m.domains[1].pages = 1
    m.dirty[0, 0].dirty = m.domains[0].exists = True
    m.domains[0].vcpus = 1
    m.flights[K].mode, m.flights[K].frame = REF, F
    monitor = Monitor.over(m, steps=True)
    monitor.start()
    return monitor


def broken(step: str, module: str, old: str, new: str, *arguments: object) -> set[str]:
    """Run a step that was edited, and return what the monitor says of it."""
    monitor = monitored()
    edited = edited_function(f"xenmodel.memory.{module}", step, (Edit(step, old, new),))
    _, found = monitor.try_step(edited, monitor.machine, *arguments)
    return {violation.name for violation in found}


def test_a_frame_taken_of_a_stranger_is_noticed() -> None:
    idle = FlightId((VcpuId((1, 0)), 1))
    old = "guard: frame belongs to the named domain"
    assert "only_a_live_frame_of_the_named_domain_is_taken" in broken(
        "take_ref", "claim", old, "", idle, F, DomId(2)
    )
    assert not broken("take_ref", "claim", old, "", idle, F, DomId(1))


def test_a_step_that_does_nothing_is_noticed() -> None:
    assert "the_map_says_the_number" in broken(
        "set_m2p", "mmu_update", "m.m2p[flight.frame].pfn = pfn", "", K, 7
    )


def test_a_step_that_does_more_than_it_means_is_noticed() -> None:
    found = broken(
        "claim",
        "claim",
        "frame = m.frames[flight.frame]",
        "frame = m.frames[flight.frame]; m.frames[flight.frame].cursor = 3",
        K,
        WRITABLE,
    )
    assert FRAME_CONDITION not in found  # the cursor goes back to the first CPU as the type changes
    found = broken("set_m2p", "mmu_update", "m.m2p[flight.frame].pfn = pfn", "m.m2p[5].pfn = pfn", K, 7)
    assert FRAME_CONDITION in found


IDLE_FLIGHT: Final = FlightId((VcpuId((1, 0)), 1))
LIVE: Final = "require('frame is live', frame.ref_count > 0, EINVAL)"


def test_a_guard_that_is_too_strong_is_noticed() -> None:
    stronger = "require('frame is live', frame.ref_count > 7, EINVAL)"
    assert broken("take_ref", "claim", LIVE, stronger, IDLE_FLIGHT, F, DomId(1)) == {NOT_REFUSED}


def test_a_refusal_of_what_is_not_permitted_is_none_of_a_guard_too_strong() -> None:
    assert not broken("take_ref", "claim", LIVE, LIVE, IDLE_FLIGHT, F, DomId(2))


def test_refusals_are_counted_and_those_for_what_no_contract_asks_apart() -> None:
    monitor = monitored()
    for step, arguments in (("take_ref", (IDLE_FLIGHT, F, DomId(2))), ("unwind", (K,))):
        refusal, found = monitor.try_step(subjects()[step].function, monitor.machine, *arguments)
        assert refusal is not None
        assert not found
    assert (monitor.counts().refusals, monitor.counts().unasked) == (1, 1)


def test_a_refusal_inside_a_call_is_noticed_after_it() -> None:
    monitor = monitored()
    stronger = "require('frame is live', frame.ref_count > 7, EINVAL)"
    edited = edited_function("xenmodel.memory.claim", "take_ref", (Edit("take_ref", LIVE, stronger),))
    with pytest.raises(Refused):
        edited(monitor.machine, IDLE_FLIGHT, F, DomId(1))
    assert [v.name for v in monitor.after_call(DomId(1))] == [NOT_REFUSED]
    assert not monitor.after_call(DomId(1))


def test_who_watches_no_more_is_told_nothing() -> None:
    gc.collect()
    watching = len(WATCHERS)
    monitor = monitored()
    assert len(WATCHERS) == watching + 1
    del monitor
    gc.collect()
    assert len(WATCHERS) == watching


@pytest.mark.parametrize("name", sorted(STEPS))
def test_no_step_writes_to_its_parameters(name: str) -> None:
    tree = ast.parse(inspect.getsource(STEPS[name]))
    stored = {n.id for n in ast.walk(tree) if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Store)}
    assert not stored & set(inspect.signature(STEPS[name]).parameters)


def test_the_steps_themselves_do_what_they_mean() -> None:
    monitor = monitored()
    m = monitor.machine
    assert (m.flights[K].mode, m.flights[(K[0], 1)].mode) == (REF, IDLE)
    for name in ("claim", "flush_next_cpu", "finish_flush"):
        step = subjects()[name].function
        _, found = monitor.try_step(step, m, K, *([WRITABLE] if name == "claim" else []))
        assert not found
    assert m.flights[K].mode == HELD


# --- In the proof -------------------------------------------------------------------------------------------

DROPPED: Final = {
    "take_ref": (
        "require('frame belongs to the named domain', frame.owner == owner, EINVAL)",
        "only_a_live_frame_of_the_named_domain_is_taken",
    ),
    "set_m2p": ("m.m2p[flight.frame].pfn = pfn", "the_map_says_the_number"),
    "lock_page": ("frame.locked = True", "the_page_is_locked"),
    "claim_top_l2": ("frame.top_l2 = True", "the_frame_is_a_top_table"),
    "clear_unused": ("m.words[flight.frame, slot] = 0", "the_word_is_stored"),
    "bury_vcpu": ("vcpu.up = False", "a_buried_vcpu_is_as_if_it_had_never_been"),
    "bury": ("m.active.forget(d)", "no_grant_is_left_of_the_forgotten"),
    "create_domain": ("row.max_pages = size[1]", "the_domain_is_what_was_asked_for"),
    "pin_for_copy": ("row.start = active.start", "the_side_is_of_what_is_granted"),
    "commit_transfer": (
        """require("of the caller's domain", m.grants.domain(word) == v[0], EPERM)""",
        "the_entry_waits_for_a_frame_of_this_domain",
    ),
    "mark_in_vain": (
        """require('the reference exists', exists(m, g), ENOENT)""",
        "an_entry_that_is_marked_in_vain_exists",
    ),
    "open_pirq": (
        "require('there is such an interrupt to have', line.usable, EINVAL)",
        "a_domain_binds_only_a_line_that_it_was_given",
    ),
    "wake_poller": ("notice.cursor = notice.cursor + 1", "a_notice_comes_nearer_to_its_end"),
    "begin_destroy": ("_require_authority(m, caller)", "only_a_control_domain_ends_another"),
    "enter_user": ("_load_cr3(m, vcpu.cpu)", "a_mode_uses_no_translation_of_the_other"),
    "take_handle": ("row.readonly = readonly", "the_handle_is_of_what_is_wanted"),
}
"""A statement of a step that no invariant misses, and the clause that does."""


@pytest.mark.parametrize("step", sorted(DROPPED))
def test_a_statement_that_no_invariant_misses_is_missed_by_the_contract(step: str) -> None:
    old, clause = DROPPED[step]
    fate = judge(step, Edit(step, old))
    assert fate.fate == "broken"
    assert clause in fate.by


def test_a_copy_beyond_the_granted_part_is_not_proved() -> None:
    whole = subjects()["copy_unit"]
    old = """require("the source's grant is of the bytes", _is_granted(given, source, count), EINVAL)"""
    function = edited_function(whole.module, whole.name, (Edit(whole.name, old),))
    edited = subject(whole.name, function, whole.writes)
    failed = StepProof(edited, Options(cache=False)).prove().failed
    assert "only_what_the_source_grants_is_read" in {bare(o.statement) for o in failed}
