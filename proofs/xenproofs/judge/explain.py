"""Why an invariant does not hold: its own text once more, over values that tell where they come from.

A `Told` is a value with its story: `s.frames[f].type == WRITABLE` gives a truth value that reads
"frames[0x1a3].type (L1) == WRITABLE". An invariant is evaluated over such values only when it has been found
broken, so that what was given and what is broken can be said with names and numbers.
"""

import operator
from collections.abc import Callable, Hashable
from enum import Enum
from typing import Final

from xenproofs.judge.adapter import AnyInvariant, evaluator, members, row_at
from xenproofs.judge.tracking import StateView

FRAME_KEYS: Final = frozenset(
    {"frames", "entries", "words", "counts", "held", "authors", "granted", "target", "frame", "base"}
)
"""Tables whose keys begin with a frame, and fields that name one: shown in hexadecimal."""
SIGNS: Final[dict[str, Callable[..., object]]] = {
    "==": operator.eq,
    "!=": operator.ne,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
    "+": operator.add,
    "-": operator.sub,
}


class Told:
    """A value and its story; a conjunction has parts, an implication also what is given."""

    __slots__ = ("given", "parts", "text", "value")

    def __init__(
        self, value: object, text: str, parts: "tuple[Told, ...]" = (), given: "tuple[Told, ...]" = ()
    ) -> None:
        self.value = value
        self.text = text
        self.parts = parts or (self,)
        self.given = given

    def __repr__(self) -> str:
        return self.text

    def _with(self, sign: str, other: object) -> "Told":
        return Told(SIGNS[sign](self.value, bare(other)), f"{self.text} {sign} {text_of(other)}")

    __hash__ = None  # type: ignore[assignment]  # a story is no key

    def __eq__(self, other: object) -> "Told":  # type: ignore[override]  # a truth value with its story
        return self._with("==", other)

    def __ne__(self, other: object) -> "Told":  # type: ignore[override]  # likewise
        return self._with("!=", other)

    def __lt__(self, other: object) -> "Told":
        return self._with("<", other)

    def __le__(self, other: object) -> "Told":
        return self._with("<=", other)

    def __gt__(self, other: object) -> "Told":
        return self._with(">", other)

    def __ge__(self, other: object) -> "Told":
        return self._with(">=", other)

    def __add__(self, other: object) -> "Told":
        return self._with("+", other)

    def __sub__(self, other: object) -> "Told":
        return self._with("-", other)

    def __getitem__(self, part: int) -> "Told":
        """Return a part of a key."""
        return Told((members(self.value) or ())[part], f"{self.text}[{part}]")

    def __and__(self, other: object) -> "Told":
        right = told(other)
        value = bool(self.value) and bool(right.value)
        return Told(value, f"{self.text} and {right.text}", (*self.units(), *right.units()))

    __rand__ = __and__

    def __or__(self, other: object) -> "Told":
        right = told(other)
        return Told(bool(self.value) or bool(right.value), f"({self.text} or {right.text})")

    __ror__ = __or__

    def units(self) -> "tuple[Told, ...]":
        """Return what this contributes to a conjunction: its parts, or itself if it is an implication."""
        return (self,) if self.given else self.parts

    def negated(self) -> "Told":
        """Return the negation."""
        return Told(not self.value, f"not {self.text}")

    def implies(self, consequent: object) -> "Told":
        """Return the implication."""
        right = told(consequent)
        value = not self.value or bool(right.value)
        return Told(value, f"{self.text} implies {right.text}", right.units(), self.parts)

    def choose(self, then: object, other: object) -> object:
        """Return the value `then` where this holds, else `other`."""
        return then if self.value else other


def told(value: object) -> Told:
    """Return a value as one with a story, its own if it has none."""
    return value if isinstance(value, Told) else Told(value, text_of(value))


def bare(value: object) -> object:
    """Return a value without its story, inside tuples too."""
    if isinstance(value, Told):
        return value.value
    parts = members(value)
    return value if parts is None else tuple(bare(part) for part in parts)


def text_of(value: object) -> str:
    """Return a value, or the story of one, as text."""
    return value.text if isinstance(value, Told) else value.name if isinstance(value, Enum) else str(value)


def key_text(table: str, key: object) -> str:
    """Return a row's key as text, frames in hexadecimal."""
    parts = members(key)
    if parts:
        first, *rest = parts
        return ", ".join((key_text(table, first), *map(str, rest)))
    return hex(key) if table in FRAME_KEYS and isinstance(key, int) else str(key)


class ToldRow:
    """A row whose fields tell where they stand."""

    __slots__ = ("_place", "_row")

    def __init__(self, place: str, row: object) -> None:
        self._place = place
        self._row = row

    def __getattr__(self, field: str) -> Told:
        value: object = getattr(self._row, field)
        shown = key_text(field, value.name if isinstance(value, Enum) else value)
        return Told(value, f"{self._place}.{field} ({shown})")


class ToldTable:
    """A table of such rows."""

    __slots__ = ("_name", "_view")

    def __init__(self, view: StateView, name: str) -> None:
        self._view = view
        self._name = name

    def __getitem__(self, key: object) -> "ToldRow | Told":
        bare_key = bare(key)
        place = f"{self._name}[{key_text(self._name, bare_key)}]"
        row = row_at(self._view, self._name, bare_key)
        return Told(row, f"{place} ({row:#x})") if isinstance(row, int) else ToldRow(place, row)


class ToldDecoder:
    """An object whose methods decode words."""

    __slots__ = ("_decoder",)

    def __init__(self, decoder: object) -> None:
        self._decoder = decoder

    def __getattr__(self, name: str) -> "Callable[..., Told] | Told":
        found: object = getattr(self._decoder, name)
        if not callable(found):
            return Told(found, name)

        def decode(*words: object) -> Told:
            value: object = found(*(bare(word) for word in words))
            return Told(value, f"{name}({', '.join(map(text_of, words))}) ({text_of(value)})")

        return decode


class ToldState:
    """The state of a view, told."""

    __slots__ = ("_view",)

    def __init__(self, view: StateView) -> None:
        self._view = view

    def __getattr__(self, name: str) -> "ToldTable | ToldDecoder | Told":
        value: object = getattr(self._view, name)
        if isinstance(value, dict):
            return ToldTable(self._view, name)
        if isinstance(value, int):
            return Told(value, f"{name} ({value})")
        return ToldDecoder(value)


def explain(invariant: AnyInvariant, view: StateView, key: Hashable) -> tuple[str, ...]:
    """Return what was given and what is broken, a line each; nothing if the invariant holds."""
    return tuple(_broken(told(evaluator(invariant)(ToldState(view), key))))


def _broken(story: Told) -> list[str]:
    if story.value:
        return []
    lines = [f"given   {part.text}" for part in story.given]
    for part in story.parts:
        if part is story:
            lines.append(f"broken  {part.text}")
        else:
            lines += _broken(part)
    return lines
