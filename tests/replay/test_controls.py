"""What is recorded is evidence, never a command: a changed answer is found, at its line, and not obeyed."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from msgspec import structs

from tests.replay.boot import START, VARIED, content, lines, replayed
from xenmodel.hypercall import Call
from xenproofs.judge.replay.beginning import begin
from xenproofs.judge.replay.others import inadmissible
from xenproofs.judge.trace import (
    Devalidate,
    Hypercall,
    MemoryExchange,
    Multicall,
    SetType,
    SlotWord,
    TrappedWrite,
    TypeEvent,
    Validate,
)
from xenspec.vocabulary import DomId, Mfn, PageType, Slot, VcpuId, Word

if TYPE_CHECKING:
    from collections.abc import Callable

    from xenproofs.judge.replay.engine import Replay
    from xenproofs.judge.trace import Line

CONTINUED = 264
"""A call with a deterministic continuation."""
BY_TIME = 16_250
"""A multicall that Xen preempted by time."""
TRAPPED = 287
"""The line of the first trapped write."""


@pytest.fixture(scope="module")
def unchanged() -> Replay:
    return replayed(lines(VARIED))


def first(wanted: Callable[[Hypercall], bool], after: int = 1) -> Hypercall:
    """Give the first call from `after` on of which something holds."""
    return next(x for x in lines(VARIED) if isinstance(x, Hypercall) and x.n >= after and wanted(x))


def of(n: int) -> Hypercall:
    return first(lambda x: x.n == n, n)


def has(kind: type[TypeEvent]) -> Callable[[Hypercall], bool]:
    return lambda x: bool(x.events) and isinstance(x.events[0], kind)


def event_changed(line: Hypercall, **values: int) -> Hypercall:
    """Replace fields of a call's first event."""
    return structs.replace(line, events=(structs.replace(line.events[0], **values), *line.events[1:]))


def subcall_changed(line: Hypercall) -> Hypercall:
    """Let the second call of a multicall have failed."""
    assert isinstance(line.args, Multicall)
    begun, failed, *rest = line.args.calls
    calls = (begun, structs.replace(failed, ret=-22), *rest)
    return structs.replace(line, args=structs.replace(line.args, calls=calls))


def exchange_changed(line: Hypercall) -> Hypercall:
    """Let one extent less have been exchanged."""
    assert isinstance(line.args, MemoryExchange)
    return structs.replace(line, args=structs.replace(line.args, nr_exchanged=63))


def answers() -> list[Hypercall]:
    """Give one changed answer of each kind."""
    exchange = first(lambda x: isinstance(x.args, MemoryExchange) and x.ret == 0)
    by_time = of(BY_TIME)
    assert by_time.done is not None
    return [
        structs.replace(of(40), ret=-22),
        structs.replace(of(CONTINUED), cont=None, done=None, ret=0),
        structs.replace(of(500), cr3=Mfn(0x12345)),
        structs.replace(of(600), ret=-22),
        subcall_changed(first(lambda x: isinstance(x.args, Multicall) and x.cont is None)),
        structs.replace(of(7881), ret=1),
        exchange_changed(exchange),
        structs.replace(of(17_576), ret=-1),
        structs.replace(of(17_663), ret=-62),
    ]


def events() -> list[Hypercall]:
    """Give one changed type event of each kind."""
    validated = first(has(Validate), 20)
    retyped = first(has(SetType), 1000)
    extra = SetType(mfn=Mfn(1), type=PageType.WRITABLE, old_type_info=0, old_count_info=0)
    before = validated.events[0]
    assert isinstance(before, Validate)
    return [
        event_changed(validated, old_count_info=before.old_count_info + 1),
        event_changed(first(has(Devalidate), 300), old_type_info=0),
        event_changed(retyped, mfn=1),
        structs.replace(of(510), events=(extra,)),
        structs.replace(first(has(SetType), retyped.n + 1), events=()),
    ]


def test_every_call_is_judged_or_not_modelled_or_a_re_entry(unchanged: Replay) -> None:
    report = unchanged.report
    assert report.tails > 0
    assert report.not_modelled
    assert report.hypercalls == report.calls.judged + report.not_modelled.total() + report.tails == VARIED
    assert report.agrees


def test_each_changed_answer_differs_at_its_line_and_is_not_obeyed(unchanged: Replay) -> None:
    by_line: dict[int, Line] = {line.line: line for line in (*answers(), *events())}
    trapped = next(x for x in lines(VARIED) if isinstance(x, TrappedWrite) and x.line == TRAPPED)
    by_line[TRAPPED] = structs.replace(trapped, post=Word(trapped.post ^ 2))
    replay = replayed([by_line.get(line.line, line) for line in lines(VARIED)])
    report = replay.report
    assert [d.line for d in report.diverged.first] == sorted([*(x.line for x in answers()), TRAPPED])
    assert sorted({d.line for d in report.event_differences.first}) == sorted(x.line for x in events())
    assert content(replay) == content(unchanged)


def stripped(line: Line) -> Line:
    """Leave of a call's type events the validations, and of these the contents of the frame."""
    if not isinstance(line, Hypercall):
        return line
    kept = [
        structs.replace(event, old_type_info=0, old_count_info=0) if isinstance(event, Validate) else event
        for event in line.events
        if not isinstance(event, Devalidate | SetType)
    ]
    return structs.replace(line, events=tuple(kept))


def test_without_type_events_the_answers_are_the_same(unchanged: Replay) -> None:
    replay = replayed([stripped(line) for line in lines(VARIED)])
    assert not replay.report.diverged.total
    assert replay.report.calls == unchanged.report.calls
    assert replay.report.subcalls == unchanged.report.subcalls
    assert replay.report.trapped == unchanged.report.trapped
    assert content(replay) == content(unchanged)


@pytest.mark.parametrize(
    ("kind", "slot", "word", "refused"),
    [
        (PageType.L1, 3, 0x7003, True),
        (PageType.L1, 2, 0x5067, False),
        (PageType.SEG, 2, 0x5007 | 1 << 40, False),
        (PageType.L2, 2, 0x5007 | 1 << 40, True),
    ],
)
def test_the_contents_of_a_known_table_do_not_change_by_themselves(
    kind: PageType, slot: int, word: int, *, refused: bool
) -> None:
    """A frame that was not writable since it was a table holds what it held, but for what processors mark."""
    replay = begin(START)
    f = Mfn(0x15000)
    stores, frame = replay.stores, replay.machine.frames[f]
    stores.words.pages[f] = {2: 0x5007}
    stores.known.add(f)
    frame.type = kind
    told = {2: 0x5007, slot: word}
    entries = tuple(SlotWord(Slot(s), Word(w)) for s, w in sorted(told.items()))
    stores.expect([Validate(mfn=f, type=kind, old_type_info=0, old_count_info=0, entries=entries)])
    stores.look(f)
    assert bool(stores.refused) is refused
    stores.became_writable(f)
    assert f not in stores.known


@pytest.mark.parametrize(
    ("extent", "flags", "message"),
    [
        (0x14A40, 0, "dom0 has it"),
        (0x80, 0, "it is no memory"),
        (0x41, 0, "not aligned to its order 6"),
        (0x1F000, 24, "above the 24 address bits"),
    ],
)
def test_what_an_allocator_cannot_have_handed_out_is_named(extent: int, flags: int, message: str) -> None:
    x = Call(begin(START).machine, VcpuId((0, 0)), DomId(0))
    assert message in inadmissible(x, Mfn(extent), 6, flags)[0]
    assert not inadmissible(x, Mfn(0x1000), 6, 25)


def test_a_call_that_should_be_a_re_entry_and_is_not_differs() -> None:
    played = [line for line in lines(CONTINUED + 2) if line.n != CONTINUED + 1]
    replay = replayed(played)
    found = replay.report.diverged.first[0]
    assert found.n == CONTINUED + 2
    assert "the vCPU was to go on with" in found.why


def test_a_continuation_that_no_preemption_point_explains_differs() -> None:
    line = of(60)
    told = structs.replace(line, ret=None, done=0, cont=of(CONTINUED).cont)
    replay = replayed([told if x.line == line.line else x for x in lines(60)])
    assert [d.n for d in replay.report.diverged.first] == [60]
