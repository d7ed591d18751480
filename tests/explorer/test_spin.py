"""The same small ring, written a second time for Spin, has the identical number of states.

Needs `spin` and a C compiler (Debian packages `spin` and `gcc`); without them the test says `skipped`.
"""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path
from typing import Final

import pytest

from xenproofs.explorer.rings.scopes import SCOPES
from xenproofs.explorer.rings.search import RingExplorer

MODEL: Final = Path(__file__).with_name("ring.pml")
STATES: Final = 13690
TRANSITIONS: Final = 26866
TOOLS: Final = {name: shutil.which(name) for name in ("spin", "gcc")}
MISSING: Final = [name for name, path in TOOLS.items() if path is None]


def spin(folder: Path, model: Path) -> dict[str, int]:
    """Let Spin visit every state of a model, unreduced; give its figures by their names."""
    commands = (
        [TOOLS["spin"] or "spin", "-a", str(model)],
        [TOOLS["gcc"] or "gcc", "-O2", "-DNOREDUCE", "-o", "pan", "pan.c"],
        [str(folder / "pan"), "-m100000"],
    )
    told = ""
    for command in commands:
        done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=True)  # noqa: S603 - our own
        told = done.stdout
    figures = re.findall(r"^ *(\d+) (states, stored|transitions)|errors: (\d+)", told, re.MULTILINE)
    return {name or "errors": int(number or errors) for number, name, errors in figures}


def test_the_explorer_visits_the_ring_of_the_spin_model() -> None:
    report = RingExplorer(SCOPES["sc"]).run()
    assert (report.states, report.transitions) == (STATES, TRANSITIONS)
    assert not report.violations


@pytest.mark.skipif(bool(MISSING), reason=f"needs {' and '.join(MISSING)}")
def test_spin_visits_as_many_states(tmp_path: Path) -> None:
    figures = spin(tmp_path, MODEL)
    assert figures["errors"] == 0
    assert figures["states, stored"] == STATES
    assert figures["transitions"] == TRANSITIONS + 1, "Spin counts the initial state as one"


@pytest.mark.skipif(bool(MISSING), reason=f"needs {' and '.join(MISSING)}")
def test_a_changed_model_has_other_states(tmp_path: Path) -> None:
    text = MODEL.read_text("utf-8")
    changed = text.replace("(found == cons[x] -> ASLEEP : LOOK)", "ASLEEP")
    assert changed != text
    (tmp_path / "changed.pml").write_text(changed, "utf-8")
    assert spin(tmp_path, tmp_path / "changed.pml")["states, stored"] != STATES
