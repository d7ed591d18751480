"""The words of a case: operations of the oracle's format, as small constructors.

Frames are named (`p0`.., `f0`.., `bootl3`, …) or numbers; an entry is a number or [frame, flags].
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from random import Random
from typing import TypeAlias

from xenmodel.abi.pte import ACCESSED, DIRTY, PRESENT, RW, USER

Frame: TypeAlias = str | int
Pte: TypeAlias = int | list[Frame | int]
Value: TypeAlias = "int | str | bool | Sequence[Value] | Mapping[str, Value]"
Op: TypeAlias = dict[str, "Value"]

RO_FLAGS = PRESENT | ACCESSED | DIRTY
"""Flags of the harness's own mapping of a page, made read-only."""
RW_FLAGS = RO_FLAGS | RW
KERNEL_SLOT = 511
"""The L4 slot of the harness's own kernel: a table without it cannot be loaded."""
MOST, HALF, SOME, FEW, RARE = 0.75, 0.5, 0.3, 0.12, 0.01
"""Probabilities."""
LINK = PRESENT | RW | USER
"""Flags of an ordinary link to a table."""


class Draw(Random):
    """A seeded random source that knows who asks: as Domain0 beside domain 1, or the other way round."""

    def __init__(self, seed: str, own: int = 0) -> None:
        super().__init__(seed)
        self.own = own
        """The asker's domain."""
        self.other = 1 - own


@dataclass(frozen=True, slots=True)
class Case:
    """A case: how many fresh pages and foreign frames it has, and its operations."""

    ops: list[Op]
    pages: int
    foreign: int = 0
    name: str = ""

    def as_data(self) -> dict[str, Value]:
        """Return the case in the oracle's format."""
        return {"id": self.name, "np": self.pages, "nf": self.foreign, "ops": self.ops}


def entry(frame: Frame, flags: int) -> Pte:
    """Return an entry that names a frame."""
    return [frame, flags]


def map_own(page: str, flags: int = RO_FLAGS) -> Op:
    """Return the change of a page's own mapping (update_va_mapping of its own address)."""
    return {"op": "uvm", "va": page, "pte": entry(page, flags)}


def update(*requests: tuple[Frame, int, str, Value], fd: int | None = None) -> Op:
    """Return one mmu_update of (table, index, command, value) requests."""
    op: Op = {"op": "mmu_update", "reqs": requests}
    if fd is not None:
        op["fd"] = fd
    return op


def extended(*commands: list[Value], fd: int | None = None) -> Op:
    """Return one mmuext_op of [name, argument…] commands."""
    op: Op = {"op": "mmuext", "cmds": commands}
    if fd is not None:
        op["fd"] = fd
    return op


def read(va: Value) -> Op:
    """Return a load through the caller's tables."""
    return {"op": "read", "va": va}


def write(va: Value, value: Value) -> Op:
    """Return a store through the caller's tables."""
    return {"op": "write", "va": va, "val": value}


def at(page: str, slot: int) -> str:
    """Return the address of word `slot` of a page, through the page's own mapping."""
    return f"{page}+{slot * 8}" if slot else page


def address(slots: tuple[int, int, int, int], offset: int = 0) -> int:
    """Return the canonical address that a walk reaches by `slots`, level 4 first."""
    va = slots[0] << 39 | slots[1] << 30 | slots[2] << 21 | slots[3] << 12 | offset
    return va | 0xFFFF << 48 if slots[0] >= 256 else va  # noqa: PLR2004 - the upper half of the address space


def renamed(value: Value, by: int) -> Value:
    """Return an operation, or a part of one, in which each page pN is p(N + by)."""
    if isinstance(value, str):
        return f"p{int(value[1]) + by}{value[2:]}" if value[0] == "p" and value[1:2].isdigit() else value
    if isinstance(value, Mapping):
        return {name: renamed(part, by) for name, part in value.items()}
    if isinstance(value, Sequence):
        return [renamed(part, by) for part in value]
    return value
