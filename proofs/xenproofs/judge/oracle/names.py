"""What a case's names mean: pages that may be replaced, frames of the machine, addresses, entries.

A page's name means its newest frame; its address keeps mapping what it mapped. What an answer shows of a
frame is a name of its own, kept apart: the recorder knew only the first two frames of a populate call.
"""

from collections.abc import Mapping
from typing import Final, TypeAlias

from xenmodel.abi import pte
from xenproofs.judge.oracle.start import BOOT, FOREIGN_FRAMES, MOST_PAGES, OWN_PAGES, SPECIAL, Start
from xenproofs.judge.trace.naming import EntryRef
from xenspec.vocabulary import PAGE_SIZE, Mfn, Va

LIVE_ENTRY: Final = "l1e:"
WORD_BYTES: Final = 8
FLAG_BITS: Final = 0xFFF | 0xFFF << 52
WORD_MASK: Final = (1 << 64) - 1
Shown: TypeAlias = int | tuple[str | int, int]
"""A word as an answer shows it: a number, or a frame and flags."""
NAMED_SPECIAL: Final[Mapping[Mfn, str]] = {mfn: name for name, mfn in SPECIAL.items()}


PAGES: Final = tuple((f"p{index}", Mfn(OWN_PAGES + index)) for index in range(MOST_PAGES))
FRAMES: Final = tuple((f"f{index}", Mfn(FOREIGN_FRAMES + index)) for index in range(MOST_PAGES))
SHOWN_PAGES: Final = tuple((mfn, name) for name, mfn in PAGES)
SHOWN_FRAMES: Final = tuple((mfn, name) for name, mfn in FRAMES)


class Names:
    """The names of one case in progress."""

    def __init__(self, start: Start, own_pages: int, foreign_frames: int) -> None:
        self.first_va: Final = start.first_va
        self.frames: Final = dict(PAGES[:own_pages] + FRAMES[:foreign_frames])
        """Pages and frames of the case by name."""
        self.version = 0
        """How often a name got a new meaning."""
        self.shown: Final = dict(SHOWN_PAGES[:own_pages] + SHOWN_FRAMES[:foreign_frames])

    def frame(self, ref: str | int) -> Mfn:
        """Return the frame that a name or number means now."""
        if isinstance(ref, int):
            return Mfn(ref)
        found = self.frames.get(ref)
        return SPECIAL[ref] if found is None else found

    def page_va(self, page: str) -> Va:
        """Return the own address of page pN."""
        return Va(self.first_va + int(page[1:]) * PAGE_SIZE)

    def va(self, ref: str | int) -> Va:
        """Return the address that `p3`, `p3+16` or a number means."""
        if isinstance(ref, int):
            return Va(ref)
        page, _, offset = ref.partition("+")
        return Va(self.page_va(page) + int(offset or 0))

    def machine_address(self, ref: str | int) -> int:
        """Return the machine address of a frame, or of the level-1 entry that maps a page's own address.

        A number is a machine address already.
        """
        if isinstance(ref, int):
            return ref
        if ref.startswith(LIVE_ENTRY):
            slot = self.page_va(ref.removeprefix(LIVE_ENTRY)) >> 12 & 511
            return BOOT[3] * PAGE_SIZE + slot * WORD_BYTES
        return self.frame(ref) * PAGE_SIZE

    def word(self, ref: EntryRef) -> int:
        """Return the raw word of an entry."""
        if isinstance(ref, int):
            return ref
        if isinstance(ref.frame, int):
            return (ref.frame << 12 | ref.flags) & WORD_MASK
        return self.frame(ref.frame) << 12 | ref.flags & FLAG_BITS

    def replace(self, page: str, mfn: Mfn) -> None:
        """Let a page's name mean a new frame."""
        self.frames[page] = mfn
        self.version += 1

    def show(self, page: str, mfn: Mfn) -> None:
        """Let answers name a new frame; what had the name before is shown as `pN~`."""
        for old in [frame for frame, name in self.shown.items() if name == page]:
            self.shown[old] = f"{page}~"
        self.shown[mfn] = page

    def entry(self, word: int) -> Shown:
        """Return a word as answers show it: with the name of its frame, if it has one."""
        mfn = pte.target(word)
        name = self.shown.get(mfn) or NAMED_SPECIAL.get(mfn)
        if not word or name is None:
            return word
        return name, word & FLAG_BITS
