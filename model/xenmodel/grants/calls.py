"""HYPERVISOR_grant_table_op: one command on one or many operations (public/grant_table.h).

Operations of a batch answer by a status each, and one that fails does not end the batch. Xen may preempt
between them (between flushes, where it unmaps), and makes the guest ask again where an entry changed while it
was looked through.
"""

from typing import Final, assert_never

from xenmodel.abi.grant import UNMAP_BATCH
from xenmodel.grants.arguments import (
    Answer,
    Batch,
    BatchOp,
    Copy,
    GetStatusFrames,
    GetVersion,
    GrantCall,
    GrantResult,
    MapGrantRef,
    QuerySize,
    SetupTable,
    SetVersion,
    SwapGrantRef,
    TransferFrame,
    UnknownGrantOp,
    UnmapAndReplace,
    UnmapGrantRef,
)
from xenmodel.grants.copying import Sides, copy, release_sides
from xenmodel.grants.mapping import map_grant_ref
from xenmodel.grants.tables import get_status_frames, get_version, query_size, setup_table, swap_grant_ref
from xenmodel.grants.transferring import transfer
from xenmodel.grants.unmapping import unmap_batch
from xenmodel.grants.versions import set_version
from xenmodel.hypercall import PREEMPT_BATCH, Call, Continuation, Preempted, Steps
from xenspec.vocabulary import ENOSYS

NAME: Final = "grant_table_op"


def grant_table_op(x: Call, call: GrantCall) -> Steps[GrantResult]:
    """Run one command."""
    if isinstance(call, Batch):
        return (yield from _batch(x, call))
    if isinstance(call, SetupTable):
        return (yield from setup_table(x, call))
    if isinstance(call, SetVersion):
        return (yield from set_version(x, call))
    return _tell(x, call)


def _tell(x: Call, call: QuerySize | GetVersion | GetStatusFrames | UnknownGrantOp) -> GrantResult:
    """Answer a question."""
    if isinstance(call, QuerySize):
        return query_size(x, call)
    if isinstance(call, GetVersion):
        return get_version(x, call)
    if isinstance(call, GetStatusFrames):
        return get_status_frames(x, call)
    if isinstance(call, UnknownGrantOp):  # pyright: ignore[reportUnnecessaryIsInstance] - assert_never checks the union
        return GrantResult(rc=-ENOSYS)
    assert_never(call)


def _batch(x: Call, call: Batch) -> Steps[GrantResult]:
    """Run operations in order."""
    if call.ops and isinstance(call.ops[0], UnmapGrantRef | UnmapAndReplace):
        return (yield from _unmap(x, call))
    answers: list[Answer] = []
    sides = Sides([None, None])
    rest: Batch | None = None
    for done, op in enumerate(call.ops):
        if done and (yield PREEMPT_BATCH):
            rest = Batch(call.ops[done:])
            break
        try:
            answers.append((yield from _one(x, op, sides)))
        except Preempted:
            rest = Batch(call.ops[done:])
            break
    yield from release_sides(x, sides)
    return _answer(answers, rest)


def _one(x: Call, op: BatchOp, sides: Sides) -> Steps[Answer]:
    """Run one operation of a batch."""
    if isinstance(op, MapGrantRef):
        return (yield from map_grant_ref(x, op))
    if isinstance(op, Copy):
        return (yield from copy(x, op, sides))
    if isinstance(op, TransferFrame):
        return (yield from transfer(x, op))
    if isinstance(op, SwapGrantRef):
        return (yield from swap_grant_ref(x, op))
    raise TypeError(op)


def _unmap(x: Call, call: Batch) -> Steps[GrantResult]:
    """Unmap, with a flush for each 32 operations."""
    ops = [op for op in call.ops if isinstance(op, UnmapGrantRef | UnmapAndReplace)]
    answers: list[Answer] = []
    while len(answers) < len(ops):
        if answers and (yield PREEMPT_BATCH):
            return _answer(answers, Batch(call.ops[len(answers) :]))
        answers += yield from unmap_batch(x, ops[len(answers) : len(answers) + UNMAP_BATCH])
    return _answer(answers, None)


def _answer(answers: list[Answer], rest: Batch | None) -> GrantResult:
    continuation = None if rest is None else Continuation(NAME, rest, len(answers))
    return GrantResult(answers=tuple(answers), continuation=continuation)
