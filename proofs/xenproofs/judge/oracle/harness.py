"""The program that asked real Xen, as far as it shows in the answers.

It drops the translation of an address before it loads from or stores to it, clears the frames that it is
handed, reads its arguments from its own memory, and does not load a base pointer that would lose its own
kernel (`guarded`).
"""

from collections.abc import Iterable
from typing import Final

from xenmodel.abi import pte
from xenmodel.dispatch import dispatch
from xenmodel.hardware.access import Fault, load
from xenmodel.hypercall import Call, Result, run
from xenmodel.memory.mmu_update import MmuUpdate
from xenmodel.memory.mmuext_op import Command, ExtOp, MmuextOp
from xenmodel.memory.rows import Place
from xenproofs.judge.oracle.fifo import FifoPages
from xenproofs.judge.oracle.names import Names
from xenproofs.judge.oracle.start import BOOT, FRESH_FRAMES, MAX_PAGE, Start
from xenspec.vocabulary import DOMID_SELF, PAGE_SIZE, SLOTS, Mfn, PageType, Va

KERNEL_SLOT: Final = 511
"""The top-level slot that maps the program itself."""


class Harness:
    """One case in progress: the machine, the names, and the frames that have been given up."""

    __slots__ = ("changes", "fifo", "freed", "handed_out", "names", "saved", "start", "unnamed", "x")

    def __init__(self, start: Start, names: Names) -> None:
        self.start: Final = start
        self.names: Final = names
        self.x: Final = Call(start.machine, start.asker, start.domain)
        """What the asking vCPU calls with, one call after another."""
        self.fifo: Final = FifoPages(start)
        self.freed: Final[list[Mfn]] = []
        """Frames that became free during the case, the last one first to be handed out again."""
        self.saved: Final[dict[str, int]] = {}
        """What operations saved, by slot."""
        self.unnamed: Final[dict[int, int | None]] = {}
        """Frames that the allocator chose: by the model's number the real one, once it was shown."""
        self.handed_out = 0
        self.changes: frozenset[str] = frozenset()
        """Pages that the operation in progress changed in real Xen, or gives a new frame."""

    def batch(self, call: MmuUpdate | MmuextOp) -> Result:
        """Make a call, and re-enter it as often as Xen asks."""
        result = run(dispatch(self.x, call))
        if result.continuation is None:
            return result
        done = result.done
        while result.continuation is not None:
            rest = result.continuation.args
            if not isinstance(rest, MmuUpdate | MmuextOp):
                raise TypeError(rest)
            result = run(dispatch(self.x, rest))
            done += result.done
        return Result(result.rc, done, counted=result.counted)

    def invalidate(self, va: Va) -> None:
        """Drop the translation of an address."""
        self.batch(MmuextOp((ExtOp(Command.INVLPG_LOCAL, va),), DOMID_SELF))

    def clear(self, mfn: Mfn) -> None:
        """Clear a frame that was handed out."""
        self.batch(MmuextOp((ExtOp(Command.CLEAR_PAGE, mfn),), DOMID_SELF))

    def allow(self, changes: Iterable[str]) -> None:
        """Say which pages changed in real Xen: its choice of frames is taken from the record."""
        self.changes |= frozenset(changes)

    def allocate(self, order: int) -> Mfn:
        """Hand out frames: one given up before, where the record does not speak against it, or fresh ones."""
        if order == 0:
            for mfn in reversed(self.freed):
                if self.changes >= {name for name, own in self.names.frames.items() if own == mfn}:
                    self.freed.remove(mfn)
                    return mfn
        first = Mfn(FRESH_FRAMES + self.handed_out)
        self.handed_out += 1 << order
        self.unnamed[first] = None
        return first

    def guarded(self, mfn: Mfn) -> bool:
        """Return whether the program refuses to load this base pointer (l4_guard of its source)."""
        m = self.start.machine
        frame = m.frames[mfn]
        if mfn == BOOT[0] or mfn >= MAX_PAGE or mfn in self.freed or frame.place == Place.IO:
            return False  # the type words of freed and I/O frames are never zero: no load of them succeeds
        if (frame.type_count or frame.noncoherent) and frame.type != PageType.L4:
            return False
        pages = [name for name, own in self.names.frames.items() if own == mfn and name[0] == "p"]
        return not pages or not self._maps_kernel(mfn, self.names.page_va(pages[-1]))

    def _maps_kernel(self, mfn: Mfn, va: Va) -> bool:
        """Return whether the table, looked at through `va`, maps the program."""
        m = self.start.machine
        if pte.target(m.words[BOOT[3], va // PAGE_SIZE % SLOTS]) != mfn:
            return False
        word = run(load(self.x, Va(va + KERNEL_SLOT * 8)))
        return not isinstance(word, Fault) and pte.present(word) and pte.target(word) == BOOT[1]
