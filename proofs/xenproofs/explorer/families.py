"""Families of actions beyond pins and updates: base pointers, descriptor tables, reservations.

    Scope("top", …, also=("bases",))

A family gives what a vCPU may do with the frames of its domain; `others` are the frames of the other domain.
"""

from collections.abc import Callable, Iterator
from itertools import product
from typing import Final

from xenmodel.dispatch import dispatch
from xenmodel.hypercall import Call, Steps
from xenmodel.memory.descriptors import SetGdt, UpdateDescriptor
from xenmodel.memory.memory_op import Reservation, reservation
from xenmodel.memory.mmu_update import MmuUpdate
from xenmodel.memory.mmuext_op import Command, ExtOp, MmuextOp
from xenproofs.explorer.actions import Action, Whole
from xenspec.vocabulary import DOMID_INVALID, DOMID_SELF, PAGE_SIZE, Mfn

Name = Callable[[int], str]
Frames = tuple[Mfn, ...]
Family = Callable[[Name, Frames, Frames], Iterator[Action]]

BASES: Final = ((Command.NEW_BASEPTR, "kernel"), (Command.NEW_USER_BASEPTR, "user"))
XENS: Final = 256
"""The first slot of a top-level table that is Xen's."""
ONE_PAGE: Final = 8
"""Descriptors of a GDT of one page."""
DESCRIPTORS: Final = ((0x00CF9300_0000FFFF, "data of ring 0"), (0x00008200_00000000, "an LDT"))
"""What a guest may write: Xen makes the first data of ring 3, and refuses the other."""


def bases(name: Name, own: Frames, others: Frames) -> Iterator[Action]:
    """Load base pointers, and write a slot of a top-level table that is Xen's."""
    del others
    for f, (command, kind) in product(own, BASES):
        yield Action(f"load {name(f)} as {kind} base", MmuextOp((ExtOp(command, f),), DOMID_SELF))
    yield Action("load no user base", MmuextOp((ExtOp(Command.NEW_USER_BASEPTR, 0),), DOMID_SELF))
    for f, word in product(own, (0, own[0] * PAGE_SIZE | 1)):
        text = f"{name(f)}[{XENS}] := {name(own[0]) if word else 'absent'}"
        yield Action(text, MmuUpdate(((f * PAGE_SIZE + XENS * 8, word),), DOMID_SELF))


def descriptors(name: Name, own: Frames, others: Frames) -> Iterator[Action]:
    """Set and drop a GDT; write descriptors as such, and as words of whatever a frame is."""
    for f in (*own, *others):
        yield Action(f"GDT of {name(f)}", Whole(_gdt((f,), ONE_PAGE)))
    yield Action("no GDT", Whole(_gdt((), 0)))
    for f, (word, kind) in product((*own, *others), DESCRIPTORS):
        yield Action(f"descriptor {name(f)}[0] := {kind}", Whole(_descriptor(f * PAGE_SIZE, word)))
    for f, (word, kind) in product(own, DESCRIPTORS):
        update = MmuUpdate(((f * PAGE_SIZE, word),), DOMID_SELF)
        yield Action(f"{name(f)}[0] := {kind}, as a word", update)


def allocation(name: Name, own: Frames, others: Frames) -> Iterator[Action]:
    """Give frames up, and take any that nobody owns."""
    for f in (*own, *others):
        yield Action(f"give up {name(f)}", Whole(_reservation("decrease", f)))
        yield Action(f"take {name(f)}", Whole(_reservation("increase", f)))


def _gdt(frames: Frames, entries: int) -> Callable[[Call], Steps[object]]:
    return lambda x: dispatch(x, SetGdt(frames, entries))


def _descriptor(address: int, word: int) -> Callable[[Call], Steps[object]]:
    return lambda x: dispatch(x, UpdateDescriptor(address, word))


def _reservation(command: str, f: Mfn) -> Callable[[Call], Steps[object]]:
    def begin(x: Call) -> Steps[object]:
        frame = x.m.frames[f]
        free = frame.ref_count == 0 and frame.owner == DOMID_INVALID
        return reservation(x, Reservation(command, DOMID_SELF, (f,), 0, lambda _: f if free else None))

    return begin


FAMILIES: Final[dict[str, Family]] = {
    "bases": bases,
    "descriptors": descriptors,
    "allocation": allocation,
}
"""The families by name."""
