"""The files of the tree that the rules look at."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).resolve().parents[2]
ROOTS: Final = ("spec", "model", "proofs", "tool", "tests")
PACKAGES: Final = {"spec": "xenspec", "model": "xenmodel", "proofs": "xenproofs", "tool": "xencheck"}

_OURS: Final = (*ROOTS, "docs", ".ci")


def python_files() -> list[Path]:
    """Give every Python file of the five source folders."""
    return sorted(path for root in ROOTS for path in (ROOT / root).rglob("*.py"))


def text_files() -> list[Path]:
    """Give every text file that git knows or would add; where there is no git, all that are ours."""
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],  # noqa: S607 - whichever git is here
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    if listed.returncode == 0:
        paths = [ROOT / name for name in listed.stdout.split("\0") if name]
    else:
        paths = [*ROOT.glob("*.*"), *(path for folder in _OURS for path in (ROOT / folder).rglob("*"))]
    return sorted(path for path in paths if path.is_file() and _is_text(path))


def name_of(path: Path) -> str:
    """Give a file's name as the tree knows it."""
    return path.relative_to(ROOT).as_posix()


def _is_text(path: Path) -> bool:
    with path.open("rb") as file:
        return b"\0" not in file.read(4096)
