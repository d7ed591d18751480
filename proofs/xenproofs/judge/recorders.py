"""What records a machine's changes for a monitor: everything, or what the invariants name."""

from xenmodel.machine import Machine
from xenproofs.judge.adapter import AnyInvariant
from xenproofs.judge.bundles import cells_of
from xenproofs.judge.counting import CELLS
from xenproofs.judge.ghost import HolderSets
from xenproofs.judge.granting import CELLS as GRANT_CELLS
from xenproofs.judge.recording import Recorder


def recorder_for(
    machine: Machine, sets: HolderSets, chosen: list[AnyInvariant], *, steps: bool, sequential: bool
) -> Recorder:
    """Return what records a machine's changes: all of them, or those that the invariants name."""
    if steps:
        recorder = Recorder.over(machine, sets)
        sets.recorded(recorder)
        return recorder
    recorder = Recorder.over(machine, wanted=_wanted(chosen) if sequential else None)
    recorder.layouts.add("counts", ("typed", "general", "own", "uses"))
    return recorder


def _wanted(chosen: list[AnyInvariant]) -> dict[str, set[str]]:
    """Return the fields that invariants, and the counting of holders and uses of grants, read; no flights."""
    wanted: dict[str, set[str]] = {}
    cells = [(table, name) for needs in (CELLS, GRANT_CELLS) for table in needs for name in needs[table]]
    for key_type in dict.fromkeys(invariant.key for invariant in chosen):
        cells += cells_of(key_type, [i for i in chosen if i.key == key_type])
    for table, name in cells:
        if table != "flights":
            wanted.setdefault(table, set()).add(name)
    return wanted
