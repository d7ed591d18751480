"""Each read-only view of a row lists the fields of its row, no more and no fewer."""

from __future__ import annotations

from dataclasses import fields
from typing import Final

import pytest

from xenmodel.grants import rows, views

PAIRS: Final = (
    (rows.GrantTable, views.GrantTableView),
    (rows.ActiveGrant, views.ActiveGrantView),
    (rows.Mapping, views.MappingView),
    (rows.Unmapping, views.UnmappingView),
    (rows.CopySide, views.CopySideView),
    (rows.Transfer, views.TransferView),
)


@pytest.mark.parametrize(("row", "view"), PAIRS)
def test_a_view_has_the_fields_of_its_row(row: type, view: type) -> None:
    shown = [name for name, value in vars(view).items() if isinstance(value, property)]
    assert shown == [field.name for field in fields(row)]
