"""A machine's rows as text, and actions of small worlds taken one at a time: for tests of what is saved."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

from xenmodel.dispatch import dispatch
from xenmodel.hypercall import Call, run
from xenmodel.machine import TABLES
from xenmodel.step import Refused
from xenproofs.explorer.actions import Hardware, Whole
from xenproofs.judge.adapter import table_of

if TYPE_CHECKING:
    from xenmodel.machine import Machine
    from xenproofs.explorer.actions import Action
    from xenspec.vocabulary import VcpuId


def rows_of(m: Machine) -> dict[str, dict[object, str]]:
    """Return every row of every table that is not as it is made, as text."""
    found: dict[str, dict[object, str]] = {}
    for name in TABLES:
        table = table_of(m, name)
        found[name] = {key: str(row) for key, row in table.rows() if row != table.fresh(key)}
    return found


def take(m: Machine, v: VcpuId, action: Action) -> None:
    """Take an action, a call to its first end."""
    if isinstance(action.call, Hardware):
        action.call.run(m)
        return
    x = Call(m, v, m.vcpus[v].domain)
    with contextlib.suppress(Refused):
        if isinstance(action.call, Whole):
            run(action.call.begin(x))
        else:
            run(dispatch(x, action.call))
