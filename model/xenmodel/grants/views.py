"""Read-only views of the rows of grant tables: what hypercalls and invariants see.

Each protocol lists the fields of one row class of xenmodel.grants.rows; a test compares the two lists.
"""

from typing import Protocol

from xenspec.vocabulary import DomId, Mfn


class GrantTableView(Protocol):
    """GrantTable, read only."""

    @property
    def version(self) -> int: ...  # noqa: D102 - named by its field
    @property
    def max_version(self) -> int: ...  # noqa: D102 - named by its field
    @property
    def frames(self) -> int: ...  # noqa: D102 - named by its field
    @property
    def limit(self) -> int: ...  # noqa: D102 - named by its field
    @property
    def status_frames(self) -> int: ...  # noqa: D102 - named by its field
    @property
    def handles(self) -> int: ...  # noqa: D102 - named by its field
    @property
    def handle_limit(self) -> int: ...  # noqa: D102 - named by its field
    @property
    def next_handle(self) -> int: ...  # noqa: D102 - named by its field


class ActiveGrantView(Protocol):
    """ActiveGrant, read only."""

    @property
    def host_writable(self) -> int: ...  # noqa: D102 - named by its field
    @property
    def host_readonly(self) -> int: ...  # noqa: D102 - named by its field
    @property
    def device_writable(self) -> int: ...  # noqa: D102 - named by its field
    @property
    def device_readonly(self) -> int: ...  # noqa: D102 - named by its field
    @property
    def domain(self) -> DomId: ...  # noqa: D102 - named by its field
    @property
    def frame(self) -> Mfn: ...  # noqa: D102 - named by its field
    @property
    def start(self) -> int: ...  # noqa: D102 - named by its field
    @property
    def length(self) -> int: ...  # noqa: D102 - named by its field
    @property
    def sub_page(self) -> bool: ...  # noqa: D102 - named by its field
    @property
    def trans_domain(self) -> DomId: ...  # noqa: D102 - named by its field
    @property
    def trans_ref(self) -> int: ...  # noqa: D102 - named by its field


class MappingView(Protocol):
    """Mapping, read only."""

    @property
    def taken(self) -> bool: ...  # noqa: D102 - named by its field
    @property
    def pinned(self) -> bool: ...  # noqa: D102 - named by its field
    @property
    def live(self) -> bool: ...  # noqa: D102 - named by its field
    @property
    def host(self) -> bool: ...  # noqa: D102 - named by its field
    @property
    def device(self) -> bool: ...  # noqa: D102 - named by its field
    @property
    def readonly(self) -> bool: ...  # noqa: D102 - named by its field
    @property
    def stored(self) -> bool: ...  # noqa: D102 - named by its field
    @property
    def by_entry(self) -> bool: ...  # noqa: D102 - named by its field
    @property
    def domain(self) -> DomId: ...  # noqa: D102 - named by its field
    @property
    def ref(self) -> int: ...  # noqa: D102 - named by its field
    @property
    def frame(self) -> Mfn: ...  # noqa: D102 - named by its field


class UnmappingView(Protocol):
    """Unmapping, read only."""

    @property
    def host(self) -> bool: ...  # noqa: D102 - named by its field
    @property
    def device(self) -> bool: ...  # noqa: D102 - named by its field
    @property
    def readonly(self) -> bool: ...  # noqa: D102 - named by its field
    @property
    def domain(self) -> DomId: ...  # noqa: D102 - named by its field
    @property
    def ref(self) -> int: ...  # noqa: D102 - named by its field
    @property
    def frame(self) -> Mfn: ...  # noqa: D102 - named by its field
    @property
    def stamp(self) -> int: ...  # noqa: D102 - named by its field


class CopySideView(Protocol):
    """CopySide, read only."""

    @property
    def pinned(self) -> bool: ...  # noqa: D102 - named by its field
    @property
    def held(self) -> bool: ...  # noqa: D102 - named by its field
    @property
    def asked(self) -> bool: ...  # noqa: D102 - named by its field
    @property
    def typed(self) -> bool: ...  # noqa: D102 - named by its field
    @property
    def readonly(self) -> bool: ...  # noqa: D102 - named by its field
    @property
    def domain(self) -> DomId: ...  # noqa: D102 - named by its field
    @property
    def ref(self) -> int: ...  # noqa: D102 - named by its field
    @property
    def frame(self) -> Mfn: ...  # noqa: D102 - named by its field
    @property
    def start(self) -> int: ...  # noqa: D102 - named by its field
    @property
    def length(self) -> int: ...  # noqa: D102 - named by its field
    @property
    def trans_domain(self) -> DomId: ...  # noqa: D102 - named by its field
    @property
    def trans_ref(self) -> int: ...  # noqa: D102 - named by its field


class PassedGrantView(Protocol):
    """PassedGrant, read only."""

    @property
    def pinned(self) -> bool: ...  # noqa: D102 - named by its field
    @property
    def readonly(self) -> bool: ...  # noqa: D102 - named by its field
    @property
    def by(self) -> DomId: ...  # noqa: D102 - named by its field
    @property
    def domain(self) -> DomId: ...  # noqa: D102 - named by its field
    @property
    def ref(self) -> int: ...  # noqa: D102 - named by its field
    @property
    def frame(self) -> Mfn: ...  # noqa: D102 - named by its field
    @property
    def start(self) -> int: ...  # noqa: D102 - named by its field
    @property
    def length(self) -> int: ...  # noqa: D102 - named by its field


class TransferView(Protocol):
    """Transfer, read only."""

    @property
    def reserved(self) -> bool: ...  # noqa: D102 - named by its field
    @property
    def domain(self) -> DomId: ...  # noqa: D102 - named by its field
    @property
    def ref(self) -> int: ...  # noqa: D102 - named by its field
    @property
    def frame(self) -> Mfn: ...  # noqa: D102 - named by its field
