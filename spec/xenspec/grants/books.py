"""The state that contracts of grants speak of: all rows of grant tables, and the words of entries.

Safety invariants need only what is used (xenspec.grants.state). A contract says how a use begins and ends: of
which entry, by which handle, marked in which word of the granting domain's memory.
"""

from typing import Protocol

from xenspec.grants.state import ActiveRow, CopyRow, MappingRow, PartRow, PassedRow, UnmappingRow
from xenspec.memory import state as memory
from xenspec.memory.frames import PageRow
from xenspec.table import ReadTable, Table
from xenspec.vocabulary import DomId, Mfn


class GrantTableRow(Protocol):
    """A domain's grant table."""

    @property
    def version(self) -> int:
        """The layout of its entries: 1 or 2."""
        ...

    @property
    def frames(self) -> int:
        """How many pages it has."""
        ...

    @property
    def limit(self) -> int:
        """As many pages it may have."""
        ...

    @property
    def status_frames(self) -> int:
        """How many pages of status it has (version 2)."""
        ...

    @property
    def handles(self) -> int:
        """Handles below this exist."""
        ...

    @property
    def next_handle(self) -> int:
        """Where the search for a free one begins."""
        ...

    @property
    def handle_limit(self) -> int:
        """As many handles there may be."""
        ...


class RememberedRow(ActiveRow, PartRow, Protocol):
    """All that is remembered of an entry in use."""


class HandleRow(MappingRow, Protocol):
    """All of a handle."""

    @property
    def stored(self) -> bool:
        """A page-table entry was stored for it, and not taken back."""
        ...

    @property
    def by_entry(self) -> bool:
        """The guest named the page-table entry."""
        ...


class WaitingRow(UnmappingRow, Protocol):
    """All of an unmapping under way."""

    @property
    def stamp(self) -> int:
        """The flush clock when its entry was removed."""
        ...


class TransferRow(Protocol):
    """A frame on its way to another domain."""

    @property
    def reserved(self) -> bool:
        """The new owner is charged for it, and does not have it yet."""
        ...

    @property
    def domain(self) -> DomId:
        """The new owner."""
        ...

    @property
    def ref(self) -> int:
        """The entry in which the new owner waits for it."""
        ...

    @property
    def frame(self) -> Mfn:
        """The frame."""
        ...


class EntryWords(Protocol):
    """What contracts ask of the words of entries (public/grant_table.h)."""

    def place(self, version: int, ref: int, /) -> tuple[int, int]:
        """The page of an entry, and the slot of its first word."""
        ...

    def status_place(self, ref: int, /) -> tuple[int, int]:
        """The status page of an entry (version 2), and the slot of the word with its status."""
        ...

    def entries(self, version: int, frames: int, /) -> int:
        """How many entries so many pages have."""
        ...

    def permits(self, word: int, /, *, whole: bool) -> bool:
        """The entry lets its domain in (GTF_permit_access); `whole`: to the whole page."""
        ...

    def transitive(self, word: int, /) -> bool:
        """The entry passes on what another domain grants (GTF_transitive)."""
        ...

    def through(self, first: int, second: int, /) -> tuple[DomId, int]:
        """The domain and the reference that a transitive entry names."""
        ...

    def accepts_transfer(self, word: int, /) -> bool:
        """The entry waits for a frame (GTF_accept_transfer)."""
        ...

    def readonly(self, word: int, /) -> bool:
        """The entry grants no writing (GTF_readonly)."""
        ...

    def sub_page(self, word: int, /) -> bool:
        """The entry grants a part of its page only (GTF_sub_page)."""
        ...

    def domain(self, word: int, /) -> DomId:
        """The domain that the entry is for."""
        ...

    def frame(self, version: int, first: int, second: int, /) -> Mfn:
        """The frame that the entry names."""
        ...

    def pfn(self, version: int, first: int, second: int, /) -> int:
        """The number by which the owner of a transferred frame is to know it."""
        ...

    def part(self, first: int, /) -> tuple[int, int]:
        """The first byte and the length of what an entry for a part of a page grants."""
        ...

    def used(self, word: int, /, *, writing: bool) -> int:
        """The word with the marks of use: GTF_reading, and GTF_writing if it is written."""
        ...

    def unused(self, word: int, /, *, reading: bool, writing: bool) -> int:
        """The word without these marks."""
        ...

    def used_status(self, word: int, ref: int, /, *, writing: bool) -> int:
        """The word of status with the marks of an entry."""
        ...

    def unused_status(self, word: int, ref: int, /, *, reading: bool, writing: bool) -> int:
        """The word of status without these marks of an entry."""
        ...

    def status_from(self, word: int, ref: int, source: int, other: int, /) -> int:
        """The word of status in which an entry has the status of another one in `source`."""
        ...

    def as_old(self, first: int, second: int, status: int, ref: int, /) -> int:
        """An entry of version 2, with its status, as one of version 1."""
        ...

    def as_new(self, word: int, /) -> tuple[int, int, int]:
        """An entry of version 1 as one of version 2, and its status."""
        ...

    def committed(self, word: int, /) -> int:
        """The entry with GTF_transfer_committed."""
        ...

    def with_frame(self, version: int, first: int, second: int, frame: int, /) -> tuple[int, int]:
        """The words of an entry that names another frame."""
        ...

    def completed(self, word: int, /) -> int:
        """The entry with GTF_transfer_completed."""
        ...

    def slot_of(self, offset: int, /) -> int:
        """The slot of the word that a byte of a page is in."""
        ...

    def spliced(
        self, given: tuple[int, int], source: int, kept: tuple[int, int], target: int, count: int, /
    ) -> tuple[int, int]:
        """Two words after a copy of up to 8 bytes into them."""
        ...


class State(memory.State, Protocol):
    """The state before or after an action of grants."""

    @property
    def cpus(self) -> Table[int, memory.RunningCpuRow]: ...  # noqa: D102 - named by its table
    @property
    def grant_tables(self) -> ReadTable[int, GrantTableRow]: ...  # noqa: D102
    @property
    def grant_frames(self) -> Table[tuple[int, int], PageRow]: ...  # noqa: D102
    @property
    def status_frames(self) -> ReadTable[tuple[int, int], PageRow]: ...  # noqa: D102
    @property
    def active(self) -> Table[tuple[int, int], RememberedRow]: ...  # noqa: D102
    @property
    def mappings(self) -> ReadTable[tuple[int, int], HandleRow]: ...  # noqa: D102
    @property
    def unmappings(self) -> ReadTable[tuple[tuple[int, int], int], WaitingRow]: ...  # noqa: D102
    @property
    def copies(self) -> ReadTable[tuple[tuple[int, int], int], CopyRow]: ...  # noqa: D102
    @property
    def passed(self) -> ReadTable[tuple[tuple[int, int], int], PassedRow]: ...  # noqa: D102
    @property
    def transfers(self) -> ReadTable[tuple[int, int], TransferRow]: ...  # noqa: D102
    @property
    def grants(self) -> EntryWords: ...  # noqa: D102
