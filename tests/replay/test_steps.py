"""Step mode is told of what the guest does between its calls, and of what is assumed of the machine."""

from __future__ import annotations

import pytest

from tests.replay.boot import BOOT, lines, replayed
from xenproofs.judge.replay.checking import Check, Checking
from xenproofs.judge.replay.engine import Replay
from xenproofs.judge.replay.grants import LEARNT as PAGE_OF_TABLE

BEFORE = 17_640
"""The last call before the guest binds its first ports."""
AFTER = 17_700
LEARNT = 54_518
"""The call whose answer names a page of the grant table that the snapshot does not tell from other pages."""


def not_shown(_replay: Replay, _step: object) -> None:
    """Show nothing."""


@pytest.mark.parametrize("shown", [True, False])
def test_a_port_that_the_guest_unmasks_is_a_step(*, shown: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    """Negative control: where the step is not shown, it is a write that nobody declares."""
    if not shown:
        monkeypatch.setattr(Replay, "show", not_shown)
    replay = replayed(lines(BEFORE))
    Checking(replay, Check.STEP)
    replay.play(BOOT, [line for line in lines(AFTER) if line.n > BEFORE])
    assert replay.report.assumed["guest unmasks the port that it binds"] > 0
    assert {breach.name for breach in replay.report.checked.first} == (
        set() if shown else {"declared_writes"}
    )


def test_a_page_of_the_grant_table_that_is_told_is_no_write_of_a_step() -> None:
    replay = replayed(lines(LEARNT - 10))
    Checking(replay, Check.STEP)
    replay.play(BOOT, [line for line in lines(LEARNT) if line.n > LEARNT - 10])
    assert replay.report.assumed[PAGE_OF_TABLE] == 1
    assert not replay.report.checked.first
