"""From power-on to a kernel that waits for scripts, and what the driver must know about it.

One thing in Xen is changed, and nothing else: the user bit in the entries that map Xen's frame table. The
kernel under test runs in ring 3, Xen's `struct page_info` rows lie in pages that only ring 0 may read; with
the bit set from the top-level table down, the kernel reads the rows of its case's frames after every request,
which is what makes types and counts comparable at full speed. No entry is made writable, no row is changed,
and Xen's own accesses do not depend on the bit (QEMU's processor has no SMAP). Both top-level tables that
matter get it: the kernel's boot table, and Xen's `idle_pg_table`, from which Xen copies its slots into every
table that is validated later. `frame_table=False` leaves Xen as it is: then answers have return codes and
values, but no page_info.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass
from struct import unpack
from typing import Final

from xenproofs.duel.live.memory import Memory
from xenproofs.duel.live.protocol import MAGIC, MAILBOX_LINE, VERSION, Command, Field, State
from xenproofs.duel.live.qemu import Died, Qemu
from xenproofs.duel.live.tools import Tools
from xenspec.vocabulary import PAGE_SIZE

FRAME_TABLE: Final = 0xFFFF82E000000000
"""Where Xen 4.17 maps its frame table on x86-64."""
PAGE_INFO_BYTES: Final = 32
USER: Final = 4
PATIENCE: Final = 120.0
"""Seconds that a boot may take on a busy machine."""
PASSIVE_FRAMES: Final = 8000
GUEST_ORDER: Final = 16
GUEST_FOREIGN_FRAMES: Final = 8000


@dataclass(frozen=True, slots=True)
class Size:
    """Memory of a machine, in MiB."""

    machine: int
    dom0: int


AS_DOM0: Final = Size(2560, 1300)
AS_GUEST: Final = Size(1536, 560)


class Kernel:
    """A test kernel in a running machine: its mailbox, and its memory by address."""

    def __init__(self, memory: Memory, frame: int) -> None:
        self.memory: Final = memory
        self._mailbox: Final = frame * PAGE_SIZE
        if (self.get(Field.MAGIC), self.get(Field.VERSION)) != (MAGIC, VERSION):
            raise Died("the test kernel speaks another protocol: make -C tests/duel")
        self.root: Final = self.get(Field.ROOT)

    def get(self, field: Field) -> int:
        """Return a word of the mailbox."""
        return self.memory.word(self._mailbox + field * 8)

    def set(self, field: Field, value: int) -> None:
        """Set a word of the mailbox."""
        self.memory.set_word(self._mailbox + field * 8, value)

    def machine_address(self, va: int) -> int:
        """Return where an address of the kernel lies in the machine."""
        found = self.memory.walk(self.root, va).target
        if found is None:
            raise Died(f"the kernel has nothing at {va:#x}")
        return found

    def frame(self, va: int) -> int:
        """Return the frame that an address of the kernel maps."""
        return self.machine_address(va) // PAGE_SIZE

    def buffer(self, va: int, size: int) -> int:
        """Return the machine address of a buffer that must lie there in one piece."""
        first = self.machine_address(va)
        for offset in range(0, size, PAGE_SIZE):
            if self.machine_address(va + offset) != first + offset:
                raise Died("a buffer of the kernel does not lie in one piece")
        return first


@dataclass(frozen=True, slots=True)
class Booted:
    """A machine that can be asked.

    Args:
        qemu: the machine.
        kernel: the kernel that carries out scripts.
        watcher: Domain0's kernel, where the one above runs as an unprivileged guest.
        foreign: frames of the other domain.
        xen_frame: a frame of Xen's own.
        version: Xen's version.
        readable: whether page_info can be read.
    """

    qemu: Qemu
    kernel: Kernel
    watcher: Kernel | None
    foreign: tuple[int, ...]
    xen_frame: int
    version: str
    readable: bool


def boot(tools: Tools, *, guest: bool = False, frame_table: bool = True) -> Booted:
    """Boot a machine.

    Raises:
        Died: it did not come up.
    """
    size = AS_GUEST if guest else AS_DOM0
    qemu = Qemu(tools, size.machine, size.dom0)
    try:
        return _bring_up(qemu, tools, guest=guest, frame_table=frame_table)
    except BaseException:
        qemu.close()
        raise


def _bring_up(qemu: Qemu, tools: Tools, *, guest: bool, frame_table: bool) -> Booted:
    deadline = time.monotonic() + PATIENCE
    kernel = Kernel(qemu.memory, int(qemu.wait_for_line(MAILBOX_LINE, deadline), 16))
    idle = kernel.frame(tools.symbol("idle_pg_table"))
    if frame_table:
        _open_frame_table(kernel, idle)
    kernel.set(Field.FRAME_TABLE, FRAME_TABLE if frame_table else 0)
    kernel.set(Field.WANT_GUEST, GUEST_ORDER if guest else 0)
    kernel.set(Field.WANT_PASSIVE, 0 if guest else PASSIVE_FRAMES)
    kernel.set(Field.COMMAND, Command.BEGIN)
    _wait(qemu, lambda: kernel.get(Field.STATE) == State.READY, deadline)
    version = qemu.wait_for_line(" Xen version ", deadline)
    if not guest:
        return Booted(qemu, kernel, None, _passive_frames(kernel), idle, version, frame_table)
    inner = _second_kernel(qemu, kernel, deadline)
    inner.set(Field.FRAME_TABLE, FRAME_TABLE if frame_table else 0)
    inner.set(Field.MAX_PAGE, kernel.get(Field.MAX_PAGE))
    inner.set(Field.COMMAND, Command.BEGIN)
    _wait(qemu, lambda: inner.get(Field.STATE) == State.READY, deadline)
    return Booted(qemu, inner, kernel, _dom0_frames(kernel), idle, version, frame_table)


def _second_kernel(qemu: Qemu, kernel: Kernel, deadline: float) -> Kernel:
    """Return the kernel that Domain0's has started as a guest."""
    frame = kernel.get(Field.GUEST_MAILBOX)
    state = frame * PAGE_SIZE + Field.STATE * 8
    _wait(qemu, lambda: qemu.memory.word(state) == State.BOOTED, deadline)
    return Kernel(qemu.memory, frame)


def _wait(qemu: Qemu, happened: Callable[[], bool], deadline: float) -> None:
    while not happened():
        if qemu.stopped() or time.monotonic() > deadline:
            raise Died(qemu.log())
        time.sleep(0.005)


def _open_frame_table(kernel: Kernel, idle: int) -> None:
    """Set the user bit on the way to every page of Xen's frame table, in both top-level tables."""
    memory = kernel.memory
    va = FRAME_TABLE
    end = FRAME_TABLE + kernel.get(Field.MAX_PAGE) * PAGE_INFO_BYTES
    while va < end:
        walks = [memory.walk(root, va) for root in (kernel.root, idle)]
        for address in {address for walk in walks if walk.target is not None for address in walk.entries}:
            memory.set_word(address, memory.word(address) | USER)
        size = walks[0].size
        va = (va // size + 1) * size


def _passive_frames(kernel: Kernel) -> tuple[int, ...]:
    """Return the frames of the second domain, which never runs."""
    count = kernel.get(Field.FOREIGN_FRAMES)
    data = b"".join(
        kernel.memory.read(kernel.machine_address(kernel.get(Field.FOREIGN) + offset), PAGE_SIZE)
        for offset in range(0, count * 8, PAGE_SIZE)
    )
    return unpack(f"<{count}Q", data[: count * 8])


def _dom0_frames(kernel: Kernel) -> tuple[int, ...]:
    """Return frames of Domain0 that it maps and does not use."""
    arena = kernel.get(Field.ARENA)
    return tuple(kernel.frame(arena + index * PAGE_SIZE) for index in range(GUEST_FOREIGN_FRAMES))
