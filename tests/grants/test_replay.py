"""Grant tables in a replay: what Xen tells of them is predicted, and another telling is found."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import pytest
from msgspec import structs

from tests.replay.boot import BOOT, START
from xenproofs.judge.replay import grants
from xenproofs.judge.replay.beginning import begin
from xenproofs.judge.trace import GrantQuerySize, GrantSetupTable, Hypercall, read_recording
from xenspec.vocabulary import Mfn, VcpuId

if TYPE_CHECKING:
    from collections.abc import Mapping

    from xenproofs.judge.replay.answers import Judged

CALLS: Final = 6


@pytest.fixture(scope="module")
def calls() -> list[Hypercall]:
    """Give the boot's calls about grants."""
    lines = (line for line in read_recording(BOOT) if isinstance(line, Hypercall))
    return [line for line in lines if line.op == "grant_table_op"]


def judged(lines: list[Hypercall]) -> list[Judged]:
    """Judge calls one after another, from the start of the boot."""
    replay = begin(START)
    found = [grants.answer(replay, replay.call_of(VcpuId((x.dom, x.vcpu))), x) for x in lines]
    return [one for one in found if one is not None]


def test_what_the_boot_asks_is_answered_as_xen_does(calls: list[Hypercall]) -> None:
    answers = judged(calls)
    assert len(answers) == CALLS
    assert [(one.got, one.why) for one in answers] == [(one.expected, "") for one in answers]


@pytest.mark.parametrize(
    ("kind", "change"),
    [
        (GrantQuerySize, {"nr_frames": 2}),
        (GrantQuerySize, {"status": -8}),
        (GrantSetupTable, {"frames": (Mfn(5),)}),
        (GrantSetupTable, {"frames": ()}),
        (GrantSetupTable, {"status": -1}),
    ],
)
def test_another_telling_is_found(
    calls: list[Hypercall], kind: type[GrantQuerySize | GrantSetupTable], change: Mapping[str, object]
) -> None:
    """Negative control: a changed answer is not believed."""
    line = next(x for x in calls if isinstance(x.args, kind))
    (one,) = judged([structs.replace(line, args=structs.replace(line.args, **change))])
    assert "Xen tells" in one.why
