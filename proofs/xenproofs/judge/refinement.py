"""Refinement at run time: every row that a step changed made an allowed transition of the specification.

The recorder keeps a changed row's values before and after; each rule of the row's table is evaluated on them.
Rules speak of single rows, so that the check costs what changed.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Final

from xenproofs.judge.adapter import AnyTransition, rowless
from xenproofs.judge.recording import Change, Layouts, Values
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


def forbidden(changes: Mapping[str, Iterable[Change]], layouts: Layouts) -> list[Forbidden]:
    """Return the changes that are no allowed transition."""
    found: list[Forbidden] = []
    for table, rules in RULES.items():
        for change in changes.get(table, ()):
            fields = layouts.by_table[table].fields
            before, after = (row_of(fields, values) for values in change[2:])
            found += [_forbidden(rule, change, fields) for rule in rules if not rule.function(before, after)]
    return found


def row_of(fields: tuple[str, ...], values: Values) -> SimpleNamespace:
    """Return a row's recorded values, by field."""
    return SimpleNamespace(**dict(zip(fields, values, strict=True)))


def _forbidden(rule: AnyTransition, change: Change, fields: tuple[str, ...]) -> Forbidden:
    key, _, before, after = change
    changed = tuple(
        f"{name} {old} -> {new}" for name, old, new in zip(fields, before, after, strict=True) if old != new
    )
    return Forbidden(rule.name, rule.sentence, rule.properties, rule.table, key, changed)
