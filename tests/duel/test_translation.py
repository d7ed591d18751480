"""Law: what the kernel is told means what the question says; what it tells is what the answer says.

The reader of scripts here is written from the header alone, and numbers are compared with those of the
model's own translation of names.
"""

from __future__ import annotations

from dataclasses import dataclass
from struct import calcsize, unpack_from
from typing import TYPE_CHECKING, Final

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.duel.worlds import answered, places, question, questions
from xenproofs.duel.live import protocol
from xenproofs.duel.live.answers import TYPE_FLAGS, TYPES, Ended, decode, page_state
from xenproofs.duel.live.request import Unaskable
from xenproofs.duel.live.script import encode
from xenproofs.judge.oracle.ask import COMMANDS, UPDATES
from xenproofs.judge.oracle.names import Names
from xenproofs.judge.oracle.start import Bench
from xenproofs.judge.trace.case_ops import MmuExtOp, MmuUpdateOp, UvmOp, WriteOp
from xenproofs.judge.trace.case_ports import EvtOp, GntMapOp, GntSetVersionOp, GntWriteOp, NewGntWriteOp
from xenproofs.judge.trace.cases import Answer, PageState, read_cases
from xenproofs.judge.trace.questions import CaseWriter, Question, parts, read_ops, with_parts

if TYPE_CHECKING:
    from pathlib import Path

    from xenproofs.judge.trace.cases import Operation

MASK: Final = (1 << 64) - 1


@dataclass(frozen=True)
class Told:
    """One request as the kernel reads it, operands resolved."""

    code: int
    flags: int
    words: tuple[int, int, int]
    values: tuple[int, ...]


SAVED: Final = 1000
"""Plus k: what slot k holds, to this reader."""
FIRST_REFERENCE: Final = 64


def meant(table: list[int], slot: int) -> int:
    """Give what a slot holds."""
    if slot == protocol.SLOT_REFERENCES:
        return FIRST_REFERENCE
    if slot >= protocol.SLOT_SAVED:
        return SAVED + slot - protocol.SLOT_SAVED
    return table[slot - 1] if slot else 0


def heard(script: bytes) -> list[Told]:
    """Read a case as the kernel does."""
    requests, frames = unpack_from("<IIQ", script)[:2]
    at = calcsize("<IIQ")
    table: list[int] = []
    for _ in range(frames):
        table.append(unpack_from("<QQQ", script, at)[0])
        at += 24
    found: list[Told] = []
    for _ in range(requests):
        code, count, flags, *words = unpack_from("<HHIQQQ", script, at)
        at += 32
        values: list[int] = []
        for _ in range(count):
            base, slot, shift = unpack_from("<QII", script, at)
            at += 16
            values.append(base + (meant(table, slot) << shift) & MASK)
        found.append(Told(code, flags, (words[0], words[1], words[2]), tuple(values)))
    assert at == len(script)
    return found


@given(questions)
def test_a_script_has_one_request_an_operation(asked: Question) -> None:
    told = heard(encode(asked, places(asked)))
    assert len(told) == len(asked.ops)


@given(questions)
def test_names_mean_what_they_mean_to_the_model(asked: Question) -> None:
    names = Names(Bench("dom0").restart(), asked.np, asked.nf)
    for op, told in zip(asked.ops, heard(encode(asked, places(asked))), strict=True):
        expected = by_the_model(op, names)
        if expected is not None:
            assert told.values == expected


def by_the_model(  # noqa: PLR0911 - one line an operation
    op: Operation, names: Names
) -> tuple[int, ...] | None:
    """Give what the kernel must hear, by the model's own reading of the names."""
    match op:
        case MmuUpdateOp():
            pairs = [
                (
                    names.machine_address(one.table) + (one.index * 8 if one.cmd != "m" else 0)
                    | UPDATES[one.cmd],
                    names.word(one.value),
                )
                for one in op.reqs
            ]
            return tuple(part for pair in pairs for part in pair)
        case UvmOp():
            return names.va(op.va), names.word(op.pte), op.flags
        case WriteOp():
            return names.va(op.va), names.word(op.val)
        case EvtOp():
            return tuple(number(value, names) for value in op.args)
        case GntMapOp() if op.pte_page is None:
            return names.va(op.va or 0), op.flags, reference(op.ref), op.dom
        case GntWriteOp():
            word = op.flags | op.dom << 16 | (names.frame(op.frame) & 0xFFFFFFFF) << 32
            return reference(op.ref), word
        case MmuExtOp() if all(one.name.startswith(("pin", "unpin", "new_", "clear")) for one in op.cmds):
            frames = [(COMMANDS[one.name], names.frame(one.operand or 0), 0) for one in op.cmds]
            return tuple(part for command in frames for part in command)
        case _:
            return None


def number(value: str | int, names: Names) -> int:
    """Give the number of an argument."""
    if isinstance(value, str) and value[0] == "$":
        return SAVED + int(value[1:])
    return names.frame(value)


def reference(ref: int) -> int:
    """Give a grant reference: a small one counts from the case's first."""
    return ref + FIRST_REFERENCE if ref < 64 else ref & 0xFFFFFFFF


def test_a_page_that_the_case_has_not_is_refused() -> None:
    asked = Question("x", "dom0", 1, 0, read_ops([{"op": "read", "va": "p1"}]))
    with pytest.raises(Unaskable, match="no page p1"):
        encode(asked, places(asked))


def test_a_batch_that_the_kernel_does_not_take_is_refused() -> None:
    long = {"op": "mmuext", "cmds": [["unpin", "p0"]] * 65}
    asked = Question("x", "dom0", 1, 0, read_ops([long]))
    with pytest.raises(Unaskable, match="65 in one call"):
        encode(asked, places(asked))


states = st.builds(
    PageState,
    st.sampled_from(TYPES),
    st.integers(0, 2**55 - 1),
    st.sets(st.sampled_from("Lpvxtn")).map(lambda have: "".join(x for x in "Lpvxtn" if x in have)),
    st.integers(1, 2**52 - 1),
    st.sampled_from(("", "a", "h", "ah")),
)


def words_of(state: PageState) -> tuple[int, int]:
    """Give the words of a `struct page_info`, as Xen's header lays them out."""
    kind = TYPES.index(state.type) << 61 | state.type_count
    kind |= sum(1 << bit for bit, letter in TYPE_FLAGS if letter in state.type_flags)
    held = state.ref_count | ("a" in state.ref_flags) << 63 | ("h" in state.ref_flags) << 62
    return held, kind


@given(states)
def test_page_info_comes_back_as_it_was(state: PageState) -> None:
    assert page_state(*words_of(state)) == state


def result(answers: list[tuple[Answer, list[PageState]]], start: list[PageState]) -> bytes:
    """Write a result as the kernel does: answers with a return code, and all pages after each."""
    blocks = [(Answer(0), start), *answers]
    data = protocol.RESULT.pack(len(answers), 0, 0)
    for answer, pages in blocks:
        data += protocol.ANSWER.pack(answer.rc, answer.done or 0, 0, 0, 0, 0)
        data += b"".join(protocol.PAGE_INFO.pack(*words_of(page)) for page in pages)
    return data


@given(st.data())
def test_an_answer_lists_exactly_the_pages_that_changed(data: st.DataObject) -> None:
    asked = Question("x", "dom0", 2, 1, read_ops([{"op": "uvm", "va": "p0", "pte": 0}] * 3))
    history = [data.draw(st.lists(states, min_size=3, max_size=3)) for _ in range(4)]
    rcs = data.draw(st.lists(st.integers(-40, 5), min_size=3, max_size=3))
    told = [(Answer(rc), pages) for rc, pages in zip(rcs, history[1:], strict=True)]
    case = decode(result(told, history[0]), asked, places(asked), readable=True)
    now: dict[str, PageState] = dict(zip(("p0", "p1", "f0"), history[0], strict=True))
    assert case.init == now
    for step, rc, pages in zip(case.ops, rcs, history[1:], strict=True):
        assert step.answer.rc == rc
        assert all(now[name] != state for name, state in step.answer.st.items())
        now |= step.answer.st
        assert list(now.values()) == pages


def test_a_machine_that_ended_leaves_the_answers_before() -> None:
    asked = question(1, 0)
    start = [PageState("wr", 1, "v", 2, "a")] * (asked.np + asked.nf)
    told = [(Answer(0, done=1), start)] * 2
    ended = Ended("hang", "the end of the console")
    case = decode(result(told, start), asked, places(asked), readable=True, ended=ended)
    assert (len(case.ops), case.crash, case.log) == (2, "hang", "the end of the console")


@given(questions)
def test_fewer_requests_of_a_batch_are_a_batch(asked: Question) -> None:
    for op in asked.ops:
        every = range(parts(op))
        assert with_parts(op, every) == op
        assert all(parts(with_parts(op, every[:count])) == count for count in every)


@pytest.mark.parametrize("name", ["cases.jsonl", "cases.jsonl.gz"])
def test_kept_cases_are_read_again(tmp_path: Path, name: str) -> None:
    ops = read_ops([{"op": "uvm", "va": "p0", "pte": ["p0", 1]}])
    cases = [answered(Question(f"case-{index}", "dom0", 1, 0, ops)) for index in range(30)]
    writer = CaseWriter(tmp_path / name)
    for case in cases:
        writer.add(case)
    assert not (tmp_path / name).exists()
    writer.finish()
    writer.close()
    assert [case.id for case in read_cases(tmp_path / name)] == [case.id for case in cases]
    assert [path.name for path in tmp_path.iterdir()] == [name]


@given(st.integers(0, 2**32))
def test_no_entry_of_the_second_layout_is_written_into_a_table_of_the_first(seed: int) -> None:
    layout = 1
    for op in question(seed, 0, ("new_grants",)).ops:
        if isinstance(op, GntSetVersionOp) and op.version in (1, 2):
            layout = op.version
        assert layout == 2 or not isinstance(op, NewGntWriteOp)
