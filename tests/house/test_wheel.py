"""The wheel holds the four packages, marked as typed, and nothing else; the source archive builds it too.

Built with the environment's own hatchling, hence without a network. The whole tree is tested from its
sources; this is where the packaging itself is.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tarfile
import venv
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING, Final

import pytest

from tests.house import tree

if TYPE_CHECKING:
    from collections.abc import Iterable

PACKAGES: Final = frozenset(tree.PACKAGES.values())


def run(*command: str, cwd: Path, **environment: str) -> str:
    """Run a command to a good end and give what it printed."""
    done = subprocess.run(
        command, cwd=cwd, env={**os.environ, **environment}, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, f"{' '.join(command)}\n{done.stdout}{done.stderr}"
    return done.stdout


def build(source: Path, target: str, folder: Path) -> Path:
    """Build a wheel or a source archive of the tree at `source`."""
    run(sys.executable, "-m", "hatchling", "build", "-t", target, "-d", str(folder), cwd=source)
    (built,) = folder.iterdir()
    return built


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build(tree.ROOT, "wheel", tmp_path_factory.mktemp("wheel"))


@pytest.fixture(scope="module")
def names(wheel: Path) -> list[str]:
    return zipfile.ZipFile(wheel).namelist()


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Unpack the wheel into an environment that has nothing else, and give its interpreter."""
    home = tmp_path_factory.mktemp("installed")
    venv.create(home, with_pip=False)
    (site,) = home.glob("lib/python*/site-packages")
    zipfile.ZipFile(wheel).extractall(site)  # noqa: S202 - an archive that we have just built
    return home / "bin" / "python"


def faults_of(names: Iterable[str]) -> list[str]:
    """Complain about what a wheel holds too much or too little."""
    tops = {name.partition("/")[0] for name in names if ".dist-info/" not in name}
    missing = [
        f"{package}/py.typed is missing" for package in sorted(PACKAGES) if f"{package}/py.typed" not in names
    ]
    return [f"{top} does not belong" for top in sorted(tops - PACKAGES)] + missing


def test_the_wheel_holds_the_four_packages_and_nothing_else(names: list[str]) -> None:
    assert not faults_of(names)
    assert not [name for name in names if "__pycache__" in name or name.endswith(".pyc")]


def test_the_wheel_holds_every_module(names: list[str]) -> None:
    modules = {
        path.relative_to(tree.ROOT / top).as_posix()
        for top in tree.PACKAGES
        for path in (tree.ROOT / top).rglob("*.py")
    }
    assert modules == {name for name in names if name.endswith(".py")}


def test_the_wheel_brings_the_command_and_the_licence(names: list[str], wheel: Path) -> None:
    (info,) = {name.partition("/")[0] for name in names if ".dist-info/" in name}
    assert f"{info}/licenses/LICENSE" in names
    entry_points = zipfile.ZipFile(wheel).read(f"{info}/entry_points.txt").decode()
    assert "xencheck = xencheck.cli:main" in entry_points


def test_a_foreign_top_level_name_is_flagged(names: list[str]) -> None:
    assert faults_of([*names, "tests/__init__.py"]) == ["tests does not belong"]


def test_a_package_that_is_not_marked_is_flagged(names: list[str]) -> None:
    assert faults_of(set(names) - {"xenmodel/py.typed"}) == ["xenmodel/py.typed is missing"]


def test_the_installed_packages_are_the_wheels(installed: Path, tmp_path: Path) -> None:
    program = "import xencheck, xenmodel, xenproofs, xenspec; print(xencheck.__version__, xenspec.__file__)"
    version, file = run(str(installed), "-I", "-c", program, cwd=tmp_path).split()
    assert version
    assert Path(file).is_relative_to(installed.parents[1])


def test_a_downstream_checker_sees_the_types(installed: Path, tmp_path: Path) -> None:
    """The second line is wrong, so that a checker that sees no types (and says nothing) fails here."""
    (tmp_path / "user.py").write_text(
        "from xenspec.errors import BadInput\nline: str = BadInput('x', line=3).message\nBadInput(1)\n",
        "utf-8",
    )
    checked = subprocess.run(
        [sys.executable, "-m", "mypy", "--strict", "--python-executable", str(installed), "user.py"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    errors = [line for line in checked.stdout.splitlines() if ": error:" in line]
    assert [error.partition("error: ")[0] for error in errors] == ["user.py:3: "], checked.stdout


def test_the_source_archive_builds_the_same_wheel(names: list[str], tmp_path: Path) -> None:
    archive = build(tree.ROOT, "sdist", tmp_path / "sdist")
    with tarfile.open(archive) as file:
        file.extractall(tmp_path, filter="data")
    (source,) = tmp_path.glob("xencheck-*")
    assert {"tests", "docs", "Makefile"} < {path.name for path in source.iterdir()}
    assert set(zipfile.ZipFile(build(source, "wheel", tmp_path / "again")).namelist()) == set(names)
