"""Read-only views of rows: what hypercalls and invariants see.

Each protocol lists the fields of one row class; a test compares the two lists.
"""

from typing import Protocol

from xenmodel.memory.rows import Place
from xenspec.vocabulary import DomId, Mfn, Mode, PageType


class FrameView(Protocol):
    """One frame, read only; fields as in xenmodel.memory.rows.Frame."""

    @property
    def owner(self) -> DomId: ...  # noqa: D102 - named by its field
    @property
    def place(self) -> Place: ...  # noqa: D102 - named by its field
    @property
    def allocated(self) -> bool: ...  # noqa: D102 - named by its field
    @property
    def special(self) -> bool: ...  # noqa: D102 - named by its field
    @property
    def mappable_io(self) -> bool: ...  # noqa: D102 - named by its field
    @property
    def readonly_io(self) -> bool: ...  # noqa: D102 - named by its field
    @property
    def type(self) -> PageType: ...  # noqa: D102 - named by its field
    @property
    def type_count(self) -> int: ...  # noqa: D102 - named by its field
    @property
    def ref_count(self) -> int: ...  # noqa: D102 - named by its field
    @property
    def validated(self) -> bool: ...  # noqa: D102 - named by its field
    @property
    def pinned(self) -> bool: ...  # noqa: D102 - named by its field
    @property
    def partial(self) -> bool: ...  # noqa: D102 - named by its field
    @property
    def partial_ref(self) -> bool: ...  # noqa: D102 - named by its field
    @property
    def partial_entry(self) -> bool: ...  # noqa: D102 - named by its field
    @property
    def next_slot(self) -> int: ...  # noqa: D102 - named by its field
    @property
    def top_l2(self) -> bool: ...  # noqa: D102 - named by its field
    @property
    def linear(self) -> int: ...  # noqa: D102 - named by its field
    @property
    def noncoherent(self) -> bool: ...  # noqa: D102 - named by its field
    @property
    def locked(self) -> bool: ...  # noqa: D102 - named by its field
    @property
    def flushing(self) -> bool: ...  # noqa: D102 - named by its field
    @property
    def cursor(self) -> int: ...  # noqa: D102 - named by its field
    @property
    def stamp(self) -> int: ...  # noqa: D102 - named by its field
    @property
    def dirty(self) -> bool: ...  # noqa: D102 - named by its field


class EntryView(Protocol):
    """One page-table slot, read only; fields as in xenmodel.memory.rows.Entry."""

    @property
    def linked(self) -> bool: ...  # noqa: D102 - named by its field
    @property
    def linked_as(self) -> int: ...  # noqa: D102 - named by its field
    @property
    def target(self) -> Mfn: ...  # noqa: D102 - named by its field
    @property
    def writable(self) -> bool: ...  # noqa: D102 - named by its field
    @property
    def backed(self) -> bool: ...  # noqa: D102 - named by its field
    @property
    def linear(self) -> bool: ...  # noqa: D102 - named by its field


class FlightView(Protocol):
    """One in-flight reference, read only."""

    @property
    def mode(self) -> Mode: ...  # noqa: D102 - named by its field
    @property
    def frame(self) -> Mfn: ...  # noqa: D102 - named by its field


class DomainView(Protocol):
    """One domain, read only; fields as in xenmodel.domains.rows.Domain."""

    @property
    def exists(self) -> bool: ...  # noqa: D102 - named by its field
    @property
    def privileged(self) -> bool: ...  # noqa: D102 - named by its field
    @property
    def dying(self) -> bool: ...  # noqa: D102 - named by its field
    @property
    def crashed(self) -> bool: ...  # noqa: D102 - named by its field
    @property
    def io_rights(self) -> bool: ...  # noqa: D102 - named by its field
    @property
    def vcpus(self) -> int: ...  # noqa: D102 - named by its field
    @property
    def pages(self) -> int: ...  # noqa: D102 - named by its field
    @property
    def xen_pages(self) -> int: ...  # noqa: D102 - named by its field
    @property
    def max_pages(self) -> int: ...  # noqa: D102 - named by its field
    @property
    def writable_pagetables(self) -> bool: ...  # noqa: D102 - named by its field
    @property
    def m2p_strict(self) -> bool: ...  # noqa: D102 - named by its field
    @property
    def assists(self) -> int: ...  # noqa: D102 - named by its field


class VcpuView(Protocol):
    """One virtual CPU, read only; fields as in xenmodel.domains.rows.Vcpu."""

    @property
    def domain(self) -> DomId: ...  # noqa: D102 - named by its field
    @property
    def initialised(self) -> bool: ...  # noqa: D102 - named by its field
    @property
    def up(self) -> bool: ...  # noqa: D102 - named by its field
    @property
    def base(self) -> Mfn: ...  # noqa: D102 - named by its field
    @property
    def user_base(self) -> Mfn: ...  # noqa: D102 - named by its field
    @property
    def user_mode(self) -> bool: ...  # noqa: D102 - named by its field
    @property
    def old_table(self) -> Mfn: ...  # noqa: D102 - named by its field
    @property
    def old_partial(self) -> bool: ...  # noqa: D102 - named by its field
    @property
    def gdt_entries(self) -> int: ...  # noqa: D102 - named by its field
    @property
    def ldt_base(self) -> int: ...  # noqa: D102 - named by its field
    @property
    def ldt_entries(self) -> int: ...  # noqa: D102 - named by its field
    @property
    def info_frame(self) -> Mfn: ...  # noqa: D102 - named by its field
    @property
    def cpu(self) -> int: ...  # noqa: D102 - named by its field
    @property
    def fs_base(self) -> int: ...  # noqa: D102 - named by its field
    @property
    def gs_base_user(self) -> int: ...  # noqa: D102 - named by its field
    @property
    def gs_base_kernel(self) -> int: ...  # noqa: D102 - named by its field
    @property
    def kernel_ss(self) -> int: ...  # noqa: D102 - named by its field
    @property
    def kernel_sp(self) -> int: ...  # noqa: D102 - named by its field
    @property
    def task_switched(self) -> bool: ...  # noqa: D102 - named by its field
    @property
    def event_callback(self) -> int: ...  # noqa: D102 - named by its field
    @property
    def failsafe_callback(self) -> int: ...  # noqa: D102 - named by its field
    @property
    def syscall_callback(self) -> int: ...  # noqa: D102 - named by its field
    @property
    def sysenter_callback(self) -> int: ...  # noqa: D102 - named by its field
    @property
    def syscall32_callback(self) -> int: ...  # noqa: D102 - named by its field
    @property
    def alarm(self) -> int: ...  # noqa: D102 - named by its field
    @property
    def period(self) -> int: ...  # noqa: D102 - named by its field
    @property
    def runstate_area(self) -> int: ...  # noqa: D102 - named by its field


class NamedFrameView(Protocol):
    """A frame that a table names, read only."""

    @property
    def frame(self) -> Mfn: ...  # noqa: D102 - named by its field


class WordsView(Protocol):
    """The raw contents of frames, read only."""

    def __getitem__(self, key: tuple[int, int], /) -> int:
        """Return the word at (frame, slot)."""
        ...

    def next_present(self, frame: int, slot: int) -> int:
        """Return the first slot from `slot` on with bit 0 set, else 512."""
        ...

    def next_nonzero(self, frame: int, slot: int) -> int:
        """Return the first slot from `slot` on that is not zero, else 512."""
        ...

    def last_present(self, frame: int, end: int) -> int:
        """Return the last slot below `end` with bit 0 set, else -1."""
        ...
