"""Pages of the FIFO ABI in a case: the guest sees words of memory, the model has a row for each.

The model keeps what is in control blocks and in pages of event words as rows of their own. Here both are kept
alike: what a call on event channels did to the rows is written into the words, what any other operation has
stored there is taken over as what a guest scribbles. Pages that overlap are not judged.
"""

from collections.abc import Callable, Iterator
from typing import Final, NamedTuple, TypeVar

from xenmodel.abi.event import PAGE_PORTS, QUEUES
from xenmodel.events.guest import scribble_head, scribble_word
from xenmodel.events.rows import EventWord
from xenmodel.events.setup import ARRAY, ExpandArray, Prepared
from xenproofs.judge.oracle.start import Start
from xenspec.vocabulary import Mfn, PortId, VcpuId

PENDING, MASKED, LINKED, BUSY = 1 << 31, 1 << 30, 1 << 29, 1 << 28
"""EVTCHN_FIFO_*: the flags of an event word."""
LINK_MASK: Final = (1 << 17) - 1
RESERVED: Final = BUSY - 1 - LINK_MASK
"""Bits of an event word that mean nothing."""
MASK32: Final = 0xFFFF_FFFF
WORD_BYTES: Final = 8
HEADS: Final = 2
"""The control block, in units of 32 bits: the ready bits, a reserved one, then the heads."""

T = TypeVar("T")


class At(NamedTuple):
    """Half a word of memory."""

    frame: Mfn
    place: int
    """Of the 32 bits in their frame."""


class FifoPages:
    """The FIFO pages of the asking domain, as far as a case has made some."""

    def __init__(self, start: Start) -> None:
        self._m: Final = start.machine
        self._domain: Final = start.domain
        self._blocks: Final[dict[int, int]] = {}
        """Offset of each vCPU's control block in its frame."""

    def expansion(self, frame: int) -> ExpandArray:
        """Return the call that adds a frame, with what the guest has left in it."""
        prepared: dict[int, Prepared] = {}
        for place in range(PAGE_PORTS):
            found = self._half(At(Mfn(frame), place))
            if found:
                prepared[place] = Prepared(_bits(found), found & LINK_MASK)
        return ExpandArray(frame, masked=False, prepared=prepared)

    def begin_block(self, vcpu: int, offset: int) -> None:
        """Take a new control block over, as the guest has left it."""
        self._blocks[vcpu] = offset
        self._absorb_block(vcpu)

    def ask(self, call: Callable[[], T]) -> T:
        """Make a call of event channels, and let memory show what it did: also in pages that are given up."""
        if not self._blocks:
            return call()
        blocks = {vcpu: At(*self._block(vcpu)) for vcpu in self._blocks}
        words = dict(self._array())
        result = call()
        for vcpu, at in blocks.items():
            self._show_block(vcpu, at)
        for port, at in (words | dict(self._array())).items():
            self._store(at, _packed(self._m.event_words[self._domain, port]), RESERVED)
        if not self._m.channels[self._domain].fifo:
            self._blocks.clear()
        return result

    def _show_block(self, vcpu: int, at: At) -> None:
        v = VcpuId((self._domain, vcpu))
        heads = [self._m.heads[v, priority] for priority in range(QUEUES)]
        ready = sum(head.ready << priority for priority, head in enumerate(heads))
        self._store(at, ready, MASK32 << QUEUES & MASK32)
        for priority, head in enumerate(heads):
            self._store(At(at.frame, at.place + HEADS + priority), head.port)

    def _store(self, at: At, value: int, others: int = 0) -> None:
        """Store 32 bits but those that mean nothing to Xen."""
        before = self._half(at)
        after = value | before & others
        if before != after:
            slot, half = divmod(at.place, 2)
            self._m.words[at.frame, slot] ^= (before ^ after) << 32 * half

    def absorb(self) -> None:
        """Take over what has been stored into memory since."""
        for vcpu in self._blocks:
            self._absorb_block(vcpu)
        for port, at in self._array():
            word = self._m.event_words[self._domain, port]
            found = self._half(at)
            if found & ~RESERVED != _packed(word):
                scribble_word(self._m, PortId((self._domain, port)), _bits(found), found & LINK_MASK)

    @property
    def used(self) -> bool:
        """Return whether there are any."""
        return bool(self._blocks)

    def _absorb_block(self, vcpu: int) -> None:
        v = VcpuId((self._domain, vcpu))
        frame, base = self._block(vcpu)
        ready = self._half(At(frame, base))
        for priority in range(QUEUES):
            head = self._m.heads[v, priority]
            port, is_ready = self._half(At(frame, base + HEADS + priority)), bool(ready >> priority & 1)
            if (head.port, head.ready) != (port, is_ready):
                scribble_head(self._m, v, priority, port, ready=is_ready)

    def _block(self, vcpu: int) -> tuple[Mfn, int]:
        return self._m.event_frames[self._domain, vcpu].frame, self._blocks[vcpu] // 4

    def _half(self, at: At) -> int:
        slot, half = divmod(at.place, 2)
        return self._m.words[at.frame, slot] >> 32 * half & MASK32

    def _array(self) -> Iterator[tuple[int, At]]:
        """Give every port that there is and has a word, and where that is."""
        channels = self._m.channels[self._domain]
        for port in range(min(channels.words, channels.valid)):
            page, place = divmod(port, PAGE_PORTS)
            yield port, At(self._m.event_frames[self._domain, ARRAY + page].frame, place)


def _bits(word: int) -> tuple[bool, bool, bool, bool]:
    """Return the flags of an event word: pending, masked, linked, busy."""
    return bool(word & PENDING), bool(word & MASKED), bool(word & LINKED), bool(word & BUSY)


def _packed(word: EventWord) -> int:
    flags = PENDING * word.pending | MASKED * word.masked | LINKED * word.linked | BUSY * word.busy
    return flags | word.link
