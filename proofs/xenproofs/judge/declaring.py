"""Declared writes: a step changes only the fields that it declares (`xenmodel.step.WRITES`)."""

from collections.abc import Mapping
from typing import Final

from xenproofs.judge.recording import Change, Layouts

GHOST_TABLES: Final = frozenset({"held", "counts", "authors", "granted", "pins", "shares"})
"""Tables that are no state of the machine: nobody declares them."""


class Declared:
    """The fields that steps declare, as masks."""

    __slots__ = ("_layouts", "_masks")

    def __init__(self, layouts: Layouts) -> None:
        self._layouts = layouts
        self._masks: dict[tuple[str, ...], dict[str, int]] = {}

    def _of(self, writes: tuple[str, ...]) -> dict[str, int]:
        """Return the mask of each table that is declared, from `table.field` names."""
        places = [(table, name) for table, _, name in (write.partition(".") for write in writes)]
        self._masks[writes] = {
            table: layout.mask(frozenset(name for of, name in places if of == table))
            for table, layout in self._layouts.by_table.items()
        }
        return self._masks[writes]

    def suspects(
        self, writes: tuple[str, ...], changes: Mapping[str, list[Change]]
    ) -> dict[str, list[Change]]:
        """Return the changes that may be more than what is declared: of other fields, or new rows."""
        declared = self._masks.get(writes) or self._of(writes)
        return {
            table: suspects
            for table, of_table in changes.items()
            if table not in GHOST_TABLES
            and (suspects := [change for change in of_table if change[1] & ~declared[table]])
        }
