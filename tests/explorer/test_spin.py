"""Two small worlds, written a second time for Spin, have the identical numbers of states and transitions.

Needs `spin` and a C compiler (Debian packages `spin` and `gcc`); without them the tests say `skipped`. How
long either takes is printed (`pytest -rP` shows it).
"""

from __future__ import annotations

import re
import shutil
import subprocess
import time
from pathlib import Path
from typing import Final

import pytest

from xenproofs.explorer.rings.scopes import SCOPES as RINGS
from xenproofs.explorer.rings.search import RingExplorer
from xenproofs.explorer.scopes import SCOPES
from xenproofs.explorer.search import Explorer, ExploreReport

FOLDER: Final = Path(__file__).parent
COUNTS: Final = {"ring": (13690, 26866), "memory": (335, 4690)}
"""States and transitions by the model's name."""
CHANGES: Final = {
    "ring": ("(found == cons[x] -> ASLEEP : LOOK)", "ASLEEP"),
    "memory": ("type[f] = NONE; count[f] = 0", "count[f] = 0"),
}
"""One change of each model that makes it another one."""
TOOLS: Final = {name: shutil.which(name) for name in ("spin", "gcc")}
MISSING: Final = [name for name, path in TOOLS.items() if path is None]
needs_tools: Final = pytest.mark.skipif(bool(MISSING), reason=f"needs {' and '.join(MISSING)}")


def explored(model: str) -> ExploreReport:
    """Let the explorer visit every state, unreduced."""
    if model == "ring":
        return RingExplorer(RINGS["sc"]).run()
    return Explorer(SCOPES["flat"], symmetry=False).run()


def spin(folder: Path, model: Path) -> dict[str, int]:
    """Let Spin visit every state of a model, unreduced; give its figures by their names.

    Spin leaves variables out of the state that are written and never read, unless it is told not to (`-o2`).
    """
    commands = (
        [TOOLS["spin"] or "spin", "-o2", "-a", str(model)],
        [TOOLS["gcc"] or "gcc", "-O2", "-DNOREDUCE", "-o", "pan", "pan.c"],
        [str(folder / "pan"), "-m100000"],
    )
    told = ""
    for command in commands:
        done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=True)  # noqa: S603 - our own
        told = done.stdout
    figures = re.findall(r"^ *(\d+) (states, stored|transitions)|errors: (\d+)", told, re.MULTILINE)
    return {name or "errors": int(number or errors) for number, name, errors in figures}


@needs_tools
@pytest.mark.parametrize("model", COUNTS)
def test_spin_and_the_explorer_visit_as_many_states(model: str, tmp_path: Path) -> None:
    report = explored(model)
    begun = time.perf_counter()
    figures = spin(tmp_path, FOLDER / f"{model}.pml")
    print(f"{model}: explorer {report.seconds:.1f} s, spin with gcc {time.perf_counter() - begun:.1f} s")  # noqa: T201
    assert figures["errors"] == 0
    assert not report.violations
    assert (report.states, report.transitions) == COUNTS[model]
    assert figures["states, stored"] == report.states
    assert figures["transitions"] == report.transitions + 1, "Spin counts the initial state as one"


@needs_tools
@pytest.mark.parametrize("model", COUNTS)
def test_a_changed_model_has_other_states(model: str, tmp_path: Path) -> None:
    text = (FOLDER / f"{model}.pml").read_text("utf-8")
    changed = text.replace(*CHANGES[model])
    assert changed != text
    (tmp_path / "changed.pml").write_text(changed, "utf-8")
    assert spin(tmp_path, tmp_path / "changed.pml")["states, stored"] != COUNTS[model][0]


def test_the_explorer_visits_the_ring_of_the_spin_model() -> None:
    report = explored("ring")
    assert (report.states, report.transitions) == COUNTS["ring"]
    assert not report.violations
