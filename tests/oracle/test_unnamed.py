"""Frames that the allocator chose and no answer names: other numbers, but the same two throughout a case."""

from __future__ import annotations

import msgspec

from xenproofs.judge.oracle.compare import Got, Unnamed, differences
from xenproofs.judge.oracle.start import FRESH_FRAMES, OWN_PAGES
from xenproofs.judge.trace.cases import Answer

FLAGS = 0x10000000000147
REAL = 0x9A134


def answer(frame: int, flags: int = FLAGS) -> Answer:
    return msgspec.convert({"rc": 0, "val": frame << 12 | flags}, Answer)


def got(frame: int) -> Got:
    return Got(0, val=frame << 12 | FLAGS)


def test_a_fresh_frame_goes_with_the_real_one_and_stays_with_it() -> None:
    known: Unnamed = {FRESH_FRAMES: None, FRESH_FRAMES + 1: None}
    assert not differences(answer(REAL), got(FRESH_FRAMES), unnamed=known)
    assert not differences(answer(REAL), got(FRESH_FRAMES), unnamed=known)
    assert differences(answer(REAL + 1), got(FRESH_FRAMES), unnamed=known) == ["val"]
    assert differences(answer(REAL), got(FRESH_FRAMES + 1), unnamed=known) == ["val"]
    assert not differences(answer(REAL + 1), got(FRESH_FRAMES + 1), unnamed=known)


def test_flags_and_other_frames_are_compared() -> None:
    assert differences(answer(REAL, FLAGS ^ 2), got(FRESH_FRAMES), unnamed={FRESH_FRAMES: None}) == ["val"]
    assert differences(answer(REAL), got(OWN_PAGES), unnamed={FRESH_FRAMES: None}) == ["val"]


def test_what_the_allocator_did_not_choose_is_compared() -> None:
    assert differences(answer(REAL), got(FRESH_FRAMES)) == ["val"]
    assert differences(answer(REAL), got(FRESH_FRAMES + 1), unnamed={FRESH_FRAMES: None}) == ["val"]
