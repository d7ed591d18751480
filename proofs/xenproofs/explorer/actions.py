"""Actions: the calls of a vCPU, and what its processor may do by itself, each told in a few words."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

from xenmodel.hardware.tlb import fill, invalidate, store_through
from xenmodel.hypercall import Call, Steps
from xenmodel.machine import Machine
from xenmodel.memory.mmu_update import MmuUpdate
from xenmodel.memory.mmuext_op import MmuextOp
from xenmodel.step import Refused
from xenspec.vocabulary import Cpu, EntryId

PAGE = 0
"""The one page that processors of a small world translate."""


@dataclass(frozen=True, slots=True)
class Hardware:
    """A step of the hardware; refused, it is none."""

    act: Callable[[Machine], None]

    def run(self, m: Machine) -> None:
        """Take the step."""
        try:
            self.act(m)
        except Refused:
            return


@dataclass(frozen=True, slots=True)
class Whole:
    """A call by its steps, every continuation included."""

    begin: Callable[[Call], Steps[object]]


class Action(NamedTuple):
    """What a vCPU or its processor may do, and how it is told."""

    text: str
    call: MmuUpdate | MmuextOp | Hardware | Whole


def filled(cpu: int, leaf: EntryId, *, writable: bool) -> Hardware:
    """Cache a translation by an entry."""
    return Hardware(lambda m: fill(m, Cpu(cpu), PAGE, leaf, writable=writable, user=True))


def evicted(cpu: int) -> Hardware:
    """Drop the cached translation."""
    return Hardware(lambda m: invalidate(m, Cpu(cpu), PAGE))


def stored_through(cpu: int, slot: int, word: int) -> Hardware:
    """Store by the cached translation, stale or not."""
    return Hardware(lambda m: store_through(m, Cpu(cpu), PAGE, slot, word))
