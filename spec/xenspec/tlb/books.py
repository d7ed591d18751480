"""The state that contracts of paging-structure caches speak of."""

from typing import Protocol

from xenspec.memory import state as memory
from xenspec.table import ReadTable
from xenspec.vocabulary import DomId, Mfn, PageType


class PrefixRow(Protocol):
    """The cached upper part of a walk."""

    @property
    def valid(self) -> bool:
        """It was filled and not forgotten by itself."""
        ...

    @property
    def table(self) -> Mfn:
        """The frame whose words the walk reads next."""
        ...

    @property
    def writable(self) -> bool:
        """Every word of it allows writing."""
        ...

    @property
    def user(self) -> bool:
        """Every word of it lets user mode through."""
        ...

    @property
    def epoch(self) -> int:
        """Its CPU's epoch when it was filled."""
        ...

    @property
    def loads(self) -> int:
        """Its CPU's loads of CR3 when it was filled."""
        ...

    @property
    def drops(self) -> int:
        """How often INVLPG had dropped its CPU's prefixes when it was filled."""
        ...

    @property
    def domain(self) -> DomId:
        """The domain that its CPU ran when it was begun."""
        ...


class DroppingCpuRow(memory.RunningCpuRow, Protocol):
    """A physical CPU with its uses of INVLPG."""

    @property
    def drops(self) -> int:
        """How often INVLPG has dropped its prefixes."""
        ...


class DemotionRow(Protocol):
    """When a frame last ceased to be a table."""

    @property
    def demoted_from(self) -> PageType:
        """What it was."""
        ...


class UserFormat(memory.EntryFormat, Protocol):
    """What contracts ask of page-table entries beside all else."""

    def user(self, word: int, /) -> bool:
        """The entry lets user mode through."""
        ...


class State(memory.State, Protocol):
    """The state before or after an action of a paging-structure cache."""

    @property
    def cpus(self) -> ReadTable[int, DroppingCpuRow]: ...  # noqa: D102 - named by its table
    @property
    def prefixes(self) -> ReadTable[tuple[int, int, int], PrefixRow]: ...  # noqa: D102
    @property
    def demotions(self) -> ReadTable[int, DemotionRow]: ...  # noqa: D102
    @property
    def pte(self) -> UserFormat: ...  # noqa: D102
