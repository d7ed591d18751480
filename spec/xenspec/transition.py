"""Transitions: what a step may do to one row. One English sentence each, over the row before and after.

    @transition(property=5, advisories=(241,))
    def type_changes_only_out_of_use(before: FrameRow, after: FrameRow) -> bool:
        '''A frame's type changes only while nobody holds the type.'''

An invariant says what every state is like; a transition says what no step may do even between two good
states: who may take what from whom, and in which order. Every step of the model is an allowed transition of
every row that it changes, or leaves the row's abstract fields alone: that is refinement, row by row. The same
function is evaluated by the step-by-step check and proved for each step.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Generic, TypeVar

R = TypeVar("R")


@dataclass(frozen=True, slots=True)
class Transition(Generic[R]):
    """One rule about how a row may change."""

    name: str
    sentence: str
    table: str
    """The table whose rows it is about."""
    properties: tuple[int, ...]
    advisories: tuple[int, ...]
    function: Callable[[R, R], bool]


class Transitions(Generic[R]):
    """The rules about the rows of one table, in the order of the text."""

    __slots__ = ("_by_name", "table")

    def __init__(self, table: str) -> None:
        self.table = table
        self._by_name: dict[str, Transition[R]] = {}

    def __iter__(self) -> Iterator[Transition[R]]:
        return iter(self._by_name.values())

    def __len__(self) -> int:
        return len(self._by_name)

    def __getitem__(self, name: str) -> Transition[R]:
        return self._by_name[name]

    def transition(
        self,
        *,
        property: int | tuple[int, ...],  # noqa: A002 - what it is
        advisories: tuple[int, ...] = (),
    ) -> Callable[[Callable[[R, R], bool]], Callable[[R, R], bool]]:
        """Register a function as a rule; it stays an ordinary function."""

        def register(function: Callable[[R, R], bool]) -> Callable[[R, R], bool]:
            name = function.__name__
            sentence = " ".join((function.__doc__ or "").split())
            if name in self._by_name or not sentence.endswith("."):
                raise ValueError(f"{name}: a second one of this name, or no sentence")
            self._by_name[name] = Transition(
                name,
                sentence,
                self.table,
                property if isinstance(property, tuple) else (property,),
                advisories,
                function,
            )
            return function

        return register
