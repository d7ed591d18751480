"""Abstract rows of grants, and the state that their invariants read.

A guest grants by entries in its own memory; what counts is what Xen remembers of an entry while it is
*pinned*: a revoked or changed entry keeps what it granted when it was first used. A *handle* is one mapping.
"""

from typing import Protocol

from xenspec.memory.entries import TranslationRow
from xenspec.memory.frames import CpuRow, DomainRow, FrameRow, PageRow
from xenspec.table import ReadTable
from xenspec.vocabulary import DomId, Mfn


class GrantDomainRow(DomainRow, Protocol):
    """A domain with its pages."""

    @property
    def exists(self) -> bool:
        """There is such a domain."""
        ...

    @property
    def pages(self) -> int:
        """Frames that it is charged for."""
        ...

    @property
    def xen_pages(self) -> int:
        """Pages of Xen's own that it may map, which are charged to nobody."""
        ...


class PinsRow(Protocol):
    """How often an entry is used, by kind: by processors or devices, to write or only to read."""

    @property
    def host_writable(self) -> int:
        """By processors, to write."""
        ...

    @property
    def host_readonly(self) -> int:
        """By processors, to read."""
        ...

    @property
    def device_writable(self) -> int:
        """By devices, to write."""
        ...

    @property
    def device_readonly(self) -> int:
        """By devices, to read."""
        ...


class TransRow(Protocol):
    """By which entry something is granted in the end."""

    @property
    def trans_domain(self) -> DomId:
        """Whose entry grants the frame in the end: of a transitive entry another domain's, else its own."""
        ...

    @property
    def trans_ref(self) -> int:
        """Which entry of that domain."""
        ...


class ActiveRow(PinsRow, TransRow, Protocol):
    """What is remembered of an entry."""

    @property
    def domain(self) -> DomId:
        """For whom it is."""
        ...

    @property
    def frame(self) -> Mfn:
        """What it grants."""
        ...

    @property
    def sub_page(self) -> bool:
        """It grants a part of the frame only."""
        ...


class PartRow(Protocol):
    """A part of a page."""

    @property
    def start(self) -> int:
        """Its first byte."""
        ...

    @property
    def length(self) -> int:
        """How many bytes."""
        ...


class UseRow(Protocol):
    """A use of an entry: a mapping, an unmapping whose flush is not over, or a side of a copy."""

    @property
    def readonly(self) -> bool:
        """It does not write."""
        ...

    @property
    def domain(self) -> DomId:
        """Whose entry it uses."""
        ...

    @property
    def ref(self) -> int:
        """Which entry."""
        ...

    @property
    def frame(self) -> Mfn:
        """The frame that the entry granted when it was pinned."""
        ...


class MappingRow(UseRow, Protocol):
    """A handle."""

    @property
    def taken(self) -> bool:
        """It is handed out."""
        ...

    @property
    def pinned(self) -> bool:
        """Its pins are counted."""
        ...

    @property
    def live(self) -> bool:
        """The guest has it."""
        ...

    @property
    def host(self) -> bool:
        """It is for processors."""
        ...

    @property
    def device(self) -> bool:
        """It is for devices."""
        ...


class UnmappingRow(UseRow, Protocol):
    """An unmapping under way."""

    @property
    def host(self) -> bool:
        """A mapping of processors waits for its flush."""
        ...

    @property
    def device(self) -> bool:
        """A mapping of devices does."""
        ...


class CopyRow(UseRow, PartRow, TransRow, Protocol):
    """A side of a copy; the part is what the entry grants."""

    @property
    def pinned(self) -> bool:
        """It uses an entry."""
        ...

    @property
    def held(self) -> bool:
        """It holds its frame."""
        ...

    @property
    def asked(self) -> bool:
        """A transitive entry let it in, and the grant that this passes on is looked for."""
        ...

    @property
    def typed(self) -> bool:
        """It holds it as writable memory."""
        ...


class PassedRow(UseRow, PartRow, Protocol):
    """The use of the grant that a side's transitive entry passes on."""

    @property
    def pinned(self) -> bool:
        """There is one."""
        ...

    @property
    def by(self) -> DomId:
        """Whose entry passes it on: for that domain the grant is used."""
        ...


class ShareRow(Protocol):
    """How many uses let a domain's processors reach a frame. Ghost."""

    @property
    def readable(self) -> int:
        """All of them."""
        ...

    @property
    def writable(self) -> int:
        """Those that may write."""
        ...


class GrantState(Protocol):
    """The tables that the safety invariants of grants read."""

    @property
    def frames(self) -> ReadTable[int, FrameRow]: ...  # noqa: D102 - named by its table
    @property
    def domains(self) -> ReadTable[int, GrantDomainRow]: ...  # noqa: D102
    @property
    def cpus(self) -> ReadTable[int, CpuRow]: ...  # noqa: D102
    @property
    def tlb(self) -> ReadTable[tuple[int, int], TranslationRow]: ...  # noqa: D102
    @property
    def active(self) -> ReadTable[tuple[int, int], ActiveRow]: ...  # noqa: D102
    @property
    def mappings(self) -> ReadTable[tuple[int, int], MappingRow]: ...  # noqa: D102
    @property
    def unmappings(self) -> ReadTable[tuple[tuple[int, int], int], UnmappingRow]: ...  # noqa: D102
    @property
    def copies(self) -> ReadTable[tuple[tuple[int, int], int], CopyRow]: ...  # noqa: D102
    @property
    def passed(self) -> ReadTable[tuple[tuple[int, int], int], PassedRow]: ...  # noqa: D102
    @property
    def grant_frames(self) -> ReadTable[tuple[int, int], PageRow]: ...  # noqa: D102
    @property
    def status_frames(self) -> ReadTable[tuple[int, int], PageRow]: ...  # noqa: D102
    @property
    def shares(self) -> ReadTable[tuple[int, int], ShareRow]: ...  # noqa: D102
