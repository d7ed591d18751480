"""Refinement at run time: every row that a step changed made an allowed transition of the specification.

The recorder keeps a changed row's values before and after; each rule of the row's table is evaluated on them.
Rules speak of single rows, so that the check costs what changed.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final

from xenproofs.judge.adapter import AnyTransition, rowless
from xenproofs.judge.recording import Change
from xenspec.memory.transitions import CPUS, DOMAINS, ENTRIES, FRAMES, VCPUS, WORLD

RULES: Final = {
    FRAMES.table: rowless(FRAMES),
    ENTRIES.table: rowless(ENTRIES),
    DOMAINS.table: rowless(DOMAINS),
    VCPUS.table: rowless(VCPUS),
    CPUS.table: rowless(CPUS),
    WORLD.table: rowless(WORLD),
}
"""The rules of each table."""


@dataclass(frozen=True, slots=True)
class Forbidden:
    """A row that changed as no step may change it."""

    rule: str
    sentence: str
    properties: tuple[int, ...]
    table: str
    key: object
    changed: tuple[str, ...]
    """What changed, as `field before -> after`."""


class Row:
    """A row's recorded values, by field."""

    __slots__ = ("_values",)

    def __init__(self, fields: tuple[str, ...], values: tuple[object, ...]) -> None:
        self._values = dict(zip(fields, values, strict=True))

    def __getattr__(self, field: str) -> object:
        return self._values[field]


def forbidden(
    changes: Mapping[str, Iterable[Change]], fields: Mapping[str, tuple[str, ...]]
) -> list[Forbidden]:
    """Return the changes that are no allowed transition; `fields` are the recorded fields by table."""
    return [
        _forbidden(rule, change, fields[table])
        for table, rules in RULES.items()
        for change in changes.get(table, ())
        for rule in rules
        if not rule.function(Row(fields[table], change.old), Row(fields[table], change.new))
    ]


def _forbidden(rule: AnyTransition, change: Change, fields: tuple[str, ...]) -> Forbidden:
    changed = tuple(
        f"{name} {old} -> {new}"
        for name, old, new in zip(fields, change.old, change.new, strict=True)
        if old != new
    )
    return Forbidden(rule.name, rule.sentence, rule.properties, rule.table, change.key, changed)
