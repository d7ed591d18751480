"""Rules at the ends of ranges, found by a duel: what is looked at first, and what is read."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from tests.oracle.switches import Rule, Sequence, Steps, around, instead, without_guard
from xenmodel.step import Refused
from xenspec.vocabulary import EPERM

if TYPE_CHECKING:
    from xenmodel.hypercall import Call


def any_order(_x: Call) -> int:
    """Let everybody ask for extents of any order."""
    return 1 << 8


def nowhere(x: Call, where: int) -> Steps:
    """Flush nothing, and read no mask of vCPUs."""
    del x, where
    yield from ()
    return []


def right_first(old: Sequence) -> Sequence:
    """Ask for the caller's right before the domain is looked for."""

    def new(x: Call, *args: object) -> Steps:
        if not x.m.domains[x.domain].privileged:
            raise Refused("switched off", EPERM)
        return (yield from old(x, *args))

    return new


RULES: Final = (
    Rule("DUEL: an extent's order comes first", instead("memory.memory_op.order_limit", any_order)),
    Rule("DUEL: a mask of vCPUs is read", instead("memory.update_va_mapping._cpus", nowhere)),
    Rule("DUEL: only a reset that began is gone on with", without_guard("a reset is in progress")),
    Rule(
        "DUEL: a toolstack's question looks for the domain first",
        around("domains.page_frame_info.page_frame_info", right_first),
    ),
)
