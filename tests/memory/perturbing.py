"""Changing the state around one instance of an invariant until something wanted happens.

Everything goes through a monitor's view: the rows that an evaluation reads are its neighbourhood, and single
fields of them (then pairs, then triples) are given other values. Rows are put back afterwards.
"""

from __future__ import annotations

import dataclasses
from enum import IntEnum
from typing import TYPE_CHECKING, Final, NamedTuple

from xenproofs.judge.adapter import members, rows_read
from xenproofs.judge.tracking import StateView

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Iterator
    from random import Random

TABLES: Final = tuple(
    field.name
    for field in dataclasses.fields(StateView)
    if field.name not in {"cpu_count", "pte", "descriptors", "grants", "segments", "xens"}
)
NUMBERS: Final = (-1, 0, 1, 2, 3, 4, 5, 7, 511, 512, 513, 0x7FF4, 1 << 60)
"""Values that mean something somewhere: frames, levels, slots, domains, limits."""
ENTRIES: Final = (0, 0x3, 0x100067, 0x100065, 0x00008200_00000000, 0x00CFF300_0000FFFF, 1 << 47)


class Place(NamedTuple):
    """One field of one row; the word itself where `field` is `word`."""

    table: str
    key: Hashable
    field: str


def forget(view: StateView) -> None:
    """Let a view read everything anew."""
    for table in TABLES:
        rows_read(view, table).clear()


def neighbourhood(view: StateView) -> list[Place]:
    """Return the fields of the rows that were read since `forget`."""
    found: list[Place] = []
    for table in TABLES:
        for key, row in rows_read(view, table).items():
            if dataclasses.is_dataclass(row):
                found += [Place(table, key, field.name) for field in dataclasses.fields(row)]
            else:
                found.append(Place(table, key, "word"))
    return found


def get(view: StateView, place: Place) -> object:
    """Return the value at a place."""
    row = rows_read(view, place.table)[place.key]
    value: object = row if place.field == "word" else getattr(row, place.field)
    return value


def put(view: StateView, place: Place, value: object) -> None:
    """Set the value at a place, as the view sees it."""
    rows = rows_read(view, place.table)
    if place.field == "word":
        rows[place.key] = value
    else:
        setattr(rows[place.key], place.field, value)


def others(value: object, nearby: tuple[int, ...]) -> list[object]:
    """Return values to put in place of one; `nearby` are frames that the rows around name."""
    if isinstance(value, bool):
        return [not value]
    if isinstance(value, IntEnum):
        return [member for member in type(value) if member is not value]
    if isinstance(value, int):
        numbers = (*nearby, *NUMBERS, *ENTRIES, value + 1, value - 1)
        return [number for number in dict.fromkeys(numbers) if number != value]
    return [other for other in ((0, 0), (1, 0)) if other != value]


def nearby_frames(places: list[Place]) -> tuple[int, ...]:
    """Return the numbers that begin the keys of places."""
    firsts = [(members(place.key) or (place.key,))[0] for place in places]
    return tuple(dict.fromkeys(first for first in firsts if isinstance(first, int)))


def _attempts(view: StateView, rng: Random, tries: int) -> Iterator[dict[Place, object]]:
    """Yield what to change together: each single field, then random pairs and triples."""
    places = neighbourhood(view)
    nearby = nearby_frames(places)
    for place in places:
        yield from ({place: value} for value in others(get(view, place), nearby))
    for attempt in range(tries):
        if attempt % 50 == 0:
            places = neighbourhood(view)
            nearby = nearby_frames(places)
        chosen = rng.sample(places, min(len(places), rng.choice((2, 2, 3))))
        yield {place: rng.choice(others(get(view, place), nearby)) for place in chosen}


def pretend(view: StateView, key: Hashable, like: Hashable) -> None:
    """Let the view see the rows at a key as they are at another, of those that were read."""
    for table in TABLES:
        rows = rows_read(view, table)
        row = rows.get(like)
        if key in rows and key != like and dataclasses.is_dataclass(row) and not isinstance(row, type):
            rows[key] = dataclasses.replace(row)


def search(
    view: StateView, evaluate: Callable[[], object], wanted: Callable[[], bool], rng: Random, tries: int
) -> bool:
    """Return whether some changes make `wanted` hold; the state is left as it was.

    `evaluate` reads what is to be changed; `tries` are the random pairs and triples that are tried.
    """
    forget(view)
    evaluate()
    try:
        return wanted() or any(_hit(view, changes, wanted) for changes in _attempts(view, rng, tries))
    finally:
        forget(view)


def _hit(view: StateView, changes: dict[Place, object], wanted: Callable[[], bool]) -> bool:
    before = {place: get(view, place) for place in changes}
    for place, value in changes.items():
        put(view, place, value)
    hit = wanted()
    for place, value in before.items():
        put(view, place, value)
    return hit
