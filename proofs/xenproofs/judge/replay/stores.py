"""Guest stores, learnt where Xen looks at them: the contents of a frame when its validation begins.

The guest fills a page with ordinary stores that no hypercall shows. The recording has the words at the
moment of validation; they are an input (`entries`), admissible only if the guest could have written them:
a frame that was last a table, and has not been writable since, must still hold what the model knows.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from xenmodel.abi.descriptor import ACCESSED as DESCRIPTOR_ACCESSED
from xenmodel.abi.pte import ACCESSED_DIRTY
from xenmodel.machine import Machine
from xenproofs.judge import trace
from xenspec.table import PlainWords
from xenspec.vocabulary import PageType


@dataclass(slots=True)
class GuestStores:
    """Gives the model a frame's recorded contents when it begins to validate the frame."""

    machine: Machine
    words: PlainWords
    known: set[int] = field(default_factory=set[int])
    """Frames whose contents the model knows: tables of the snapshot, and those validated since."""
    pending: list[trace.Validate] = field(default_factory=list[trace.Validate])
    learnt: int = 0
    learns: Callable[[], None] | None = None
    """Called when the machine was changed by what the recording shows of the guest."""
    refused: list[str] = field(default_factory=list[str])

    def expect(self, events: Iterable[trace.Event]) -> None:
        """Take the validations that the next call shows, in order."""
        self.pending = [e for e in events if isinstance(e, trace.Validate)] if events else []

    def look(self, mfn: int) -> None:
        """Learn the frame's contents: the model is about to look at them."""
        event = next((e for e in self.pending if e.mfn == mfn), None)
        if event is None:
            return
        self.pending.remove(event)
        frame = self.machine.frames[mfn]
        if frame.type == PageType.SEG or frame.next_slot == 0:
            self._take(mfn, event)
        self.known.add(mfn)

    def _take(self, mfn: int, event: trace.Validate) -> None:
        own = DESCRIPTOR_ACCESSED if event.type == PageType.SEG else ACCESSED_DIRTY
        now: dict[int, int] = {e.slot: e.word for e in event.entries}
        if mfn in self.known:
            before = self.words.pages.get(mfn, {})
            changed = [s for s in {*before, *now} if (before.get(s, 0) ^ now.get(s, 0)) & ~own]
            if changed:
                self.refused.append(
                    f"frame {mfn:#x} was never writable since it was a table, but slot {min(changed)} changed"
                )
        self.words.pages[mfn] = {s: w for s, w in now.items() if w}
        self.learnt += 1
        self.learnt_something()

    def learnt_something(self) -> None:
        """Tell that the machine was changed by no step of it."""
        if self.learns is not None:
            self.learns()

    def became_writable(self, mfn: int) -> None:
        """Note that the guest may store into the frame from now on."""
        self.known.discard(mfn)
