"""Invariants: named, one English sentence each, quantified by the signature of one function.

    @invariant(property=1, advisories=(182,))
    def writable_entry_targets_writable_frame(s: MemoryState, e: EntryId) -> bool:
        '''A writable entry of an L1 table maps a frame of type writable.'''

The name is the function's, the sentence its docstring, and the annotation of the second parameter says what
it ranges over: one key. A further key is a function of rows that were read already. The same function is
evaluated by the monitor (incrementally, see xenproofs.judge.monitor) and turned into a formula by a proof, so
it is written with the connectives of xenspec.logic; a lint of the house refuses the rest.

A subsystem's invariants are a flat conjunction: a `Registry`, filled when its module is imported.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from enum import Enum
from typing import Generic, Never, TypeVar

S = TypeVar("S")
K = TypeVar("K")


class Kind(Enum):
    """What an invariant speaks of."""

    SAFETY = "safety"
    """Abstract rows: what must hold of any hypervisor."""
    REPRESENTATION = "representation"
    """Concrete rows: how this model keeps its books."""


@dataclass(frozen=True, slots=True)
class Invariant(Generic[S]):
    """One invariant, with where it comes from."""

    name: str
    sentence: str
    properties: tuple[int, ...]
    """Numbers of the properties that it serves (docs/reference, "What must hold")."""
    advisories: tuple[int, ...]
    """Xen security advisories that it would have caught, by number."""
    kind: Kind
    subsystem: str
    key: str
    """Name of the key type that it ranges over, as the vocabulary spells it."""
    function: Callable[[S, Never], bool]
    """The text itself; `Never` because each ranges over a type of its own."""
    awaits: str | None = None
    """The subsystem without which one of its clauses is not exercised yet."""


class Registry(Generic[S]):
    """The invariants of one subsystem and kind, in the order of the text."""

    __slots__ = ("_by_name", "kind", "subsystem")

    def __init__(self, subsystem: str, kind: Kind) -> None:
        self.subsystem = subsystem
        self.kind = kind
        self._by_name: dict[str, Invariant[S]] = {}

    def __iter__(self) -> Iterator[Invariant[S]]:
        return iter(self._by_name.values())

    def __len__(self) -> int:
        return len(self._by_name)

    def __getitem__(self, name: str) -> Invariant[S]:
        return self._by_name[name]

    def invariant(
        self,
        *,
        property: int | tuple[int, ...],  # noqa: A002 - what it is
        advisories: tuple[int, ...] = (),
        awaits: str | None = None,
    ) -> Callable[[Callable[[S, K], bool]], Callable[[S, K], bool]]:
        """Register a function as an invariant; it stays an ordinary function."""

        def register(function: Callable[[S, K], bool]) -> Callable[[S, K], bool]:
            name = function.__name__
            if name in self._by_name:
                raise ValueError(f"two invariants are called {name}")
            self._by_name[name] = Invariant(
                name=name,
                sentence=_sentence(function),
                properties=property if isinstance(property, tuple) else (property,),
                advisories=advisories,
                kind=self.kind,
                subsystem=self.subsystem,
                key=key_type(function),
                function=function,
                awaits=awaits,
            )
            return function

        return register


def _sentence(function: Callable[..., object]) -> str:
    """Return the docstring as one sentence on one line."""
    text = " ".join((function.__doc__ or "").split())
    if not text.endswith("."):
        raise ValueError(f"{function.__name__} has no sentence that ends in a full stop")
    return text


def key_type(function: Callable[..., object]) -> str:
    """Return the name of the type of the second parameter."""
    names = [name for name in function.__annotations__ if name != "return"]
    if len(names) != 2:  # noqa: PLR2004 - the state and one key
        raise TypeError(f"{function.__name__} must take the state and one key")
    annotation: object = function.__annotations__[names[1]]
    name = annotation if isinstance(annotation, str) else getattr(annotation, "__name__", None)
    if not isinstance(name, str):
        raise TypeError(f"{function.__name__}: the key's type has no name")
    return name
