"""Laws of moves: what is written reads back, what is drawn is repeatable, what is told names its frames."""

from __future__ import annotations

from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from xenproofs.machines.calls import call_name
from xenproofs.machines.domains import NAME
from xenproofs.machines.episode import Plan, moves_of, play
from xenproofs.machines.events import COMMANDS
from xenproofs.machines.grants import OPS, TABLE_OPS
from xenproofs.machines.moves import KINDS, NUMBERS, SUBSYSTEMS, Move, changed, describe, draw, mood, parse
from xenproofs.machines.outcomes import EXPECTED, expected, unreached
from xenproofs.machines.shared_schemes import SCHEMES as SHARED
from xenproofs.machines.shared_schemes import shared_scheme
from xenproofs.machines.stateful import moves
from xenproofs.machines.story import tell


@given(move=moves())
def test_a_move_reads_back_as_it_was_written(move: Move) -> None:
    assert parse(describe(move)) == move


@pytest.mark.parametrize("line", ["", "dance vcpu=1", "pin", "pin vcpu=1 z=2", "pin vcpu=x"])
def test_what_is_no_move_is_refused(line: str) -> None:
    with pytest.raises(ValueError):  # noqa: PT011 - its text is the line
        parse(line)


@given(move=moves(), name=st.sampled_from(NUMBERS), value=st.integers(0, 9))
def test_changing_one_number_changes_no_other(move: Move, name: str, value: int) -> None:
    other = changed(move, name, value)
    assert getattr(other, name) == value
    assert changed(other, name, getattr(move, name)) == move


@given(seed=st.integers(0, 2**32))
def test_drawing_is_repeatable(seed: int) -> None:
    first, second = Random(seed), Random(seed)  # noqa: S311 - repeatable, not secret
    assert draw(first, mood(first)) == draw(second, mood(second))


def test_an_episode_is_determined_by_seed_and_number() -> None:
    plan = Plan(seed=4, moves=60)
    assert moves_of(plan, 3) == moves_of(plan, 3)
    assert moves_of(plan, 3) != moves_of(plan, 4)
    first, second = play(plan, 3), play(plan, 3)
    assert (first.calls, first.steps, first.coverage) == (second.calls, second.steps, second.coverage)


@given(move=moves())
def test_every_move_can_be_told(move: Move) -> None:
    assert call_name(move) in tell(move)


def test_every_kind_is_expected_to_end_somehow() -> None:
    drawn = {call_name(move) for number in range(60) for move in moves_of(Plan(seed=1), number)}
    assert drawn - {"advance"} == EXPECTED.keys()
    assert {move.kind for number in range(20) for move in moves_of(Plan(seed=1), number)} == KINDS.keys()


def test_what_was_reached_is_no_longer_unreached() -> None:
    first, *rest = expected()
    assert unreached([first]) == rest


@pytest.mark.parametrize(
    ("subsystem", "calls"),
    [
        ("events", {f"event_channel_op:{name}" for name, _ in COMMANDS}),
        (
            "grants",
            {NAME, *(name for name, _ in OPS.values()), *(f"grant_table_op:{op}" for op in TABLE_OPS)},
        ),
    ],
)
def test_what_is_expected_of_a_subsystem_is_of_calls_that_its_moves_make(
    subsystem: str, calls: set[str]
) -> None:
    wanted = expected(subsystem)
    assert {one.partition(" × ")[0] for one in wanted} <= calls
    assert unreached(wanted[1:], subsystem) == [wanted[0]]


@pytest.mark.parametrize("subsystem", SHARED)
def test_every_scheme_of_a_shared_subsystem_reads_back(subsystem: str) -> None:
    rng = Random(1)  # noqa: S311 - repeatable, not secret
    kinds = SUBSYSTEMS[subsystem]
    for _ in range(200):
        for move in shared_scheme(rng, subsystem):
            assert move.kind in kinds
            assert parse(describe(move)) == move
