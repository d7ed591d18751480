"""Stories that once broke something."""

from __future__ import annotations

import pytest

from xenproofs.machines.breach import breach
from xenproofs.machines.moves import parse

STORIES = {
    "no frame is not a frame of I/O space": (
        "descriptors vcpu=1 a=7 b=1 d=140",
        "select vcpu=1 b=2",
        "descriptors vcpu=1 d=86",
    ),
    "a page that was a top-level table names Xen's frames when it is pinned again": (
        "base vcpu=3 a=8",
        "base vcpu=3",
        "pin vcpu=2 a=8",
    ),
    "a failure deep inside is cleaned up in one go, though Xen would preempt there": (
        "base vcpu=3 a=7",
        "batch vcpu=2 a=3 b=2",
        "unpin vcpu=2",
        "base vcpu=2 a=4",
        "batch vcpu=2 a=2 b=14",
        "base vcpu=2 preempt=2",
    ),
}


@pytest.mark.parametrize("every_step", [False, True], ids=["call", "step"])
@pytest.mark.parametrize("lines", STORIES.values(), ids=STORIES)
def test_it_breaks_nothing_any_more(lines: tuple[str, ...], *, every_step: bool) -> None:
    assert breach([parse(line) for line in lines], every_step=every_step) is None
