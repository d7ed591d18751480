"""Who imports what: the lower layers know the standard library only, and the command line loads no engine.

The arrows between the packages are import-linter's (`lint-imports`); here stand what it cannot say and its
negative controls.
"""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING, Final

import pytest

from tests.house import rules, tree

if TYPE_CHECKING:
    from pathlib import Path

ENGINES: Final = frozenset({"cvc5", "hypothesis", "jinja2", "msgspec", "rich", "z3"})

HELP: Final = "from xencheck.cli import run; run(['--help'])"
ARRIVALS: Final = (
    "import sys\n{program}\nprint('modules:', *sorted({{name.partition('.')[0] for name in sys.modules}}))"
)


@pytest.mark.parametrize(
    ("root", "allowed"), [("spec", frozenset({"xenspec"})), ("model", frozenset({"xenmodel", "xenspec"}))]
)
def test_the_lower_layers_import_the_standard_library_only(root: str, allowed: frozenset[str]) -> None:
    faults = [
        f"{tree.name_of(path)}: {fault}"
        for path in (tree.ROOT / root).rglob("*.py")
        for fault in rules.foreign_imports(path.read_text("utf-8"), allowed)
    ]
    assert not faults, "\n".join(faults)


@pytest.mark.parametrize(
    "sample", ["import z3", "from numpy.linalg import det", "def f():\n  import xenproofs.judge"]
)
def test_a_foreign_import_is_flagged(sample: str) -> None:
    assert len(rules.foreign_imports(sample, frozenset({"xenspec"}))) == 1
    assert not rules.foreign_imports(
        "import os.path\nfrom xenspec.logic import implies\nfrom . import x", frozenset({"xenspec"})
    )


def loaded_by(program: str) -> set[str]:
    """Give the top-level modules that are loaded after a program has run in an interpreter of its own."""
    done = subprocess.run(
        [sys.executable, "-c", ARRIVALS.format(program=program)],
        cwd=tree.ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    return set(done.stdout.rpartition("modules:")[2].split())


@pytest.mark.parametrize("program", [HELP, "import xencheck", "import xenspec, xenmodel, xenproofs"])
def test_no_engine_is_loaded_before_it_is_needed(program: str) -> None:
    loaded = loaded_by(program)
    assert "xencheck" in loaded or "xenproofs" in loaded
    assert not loaded & ENGINES


def test_a_program_that_loads_an_engine_is_flagged() -> None:
    assert loaded_by("import hypothesis") & ENGINES == {"hypothesis"}


def lint(root: Path) -> subprocess.CompletedProcess[str]:
    """Run import-linter with this tree's contracts over the packages in another folder."""
    program = "import sys; sys.path[:0] = sys.argv[2:]; from importlinter.cli import lint_imports; "
    program += "sys.exit(lint_imports(config_filename=sys.argv[1], no_cache=True))"
    folders = [str(root / name) for name in tree.PACKAGES]
    return subprocess.run(
        [sys.executable, "-c", program, str(tree.ROOT / "pyproject.toml"), *folders],
        cwd=root,
        capture_output=True,
        text=True,
        check=False,
    )


def plant(root: Path, module: str, text: str) -> None:
    """Write a small copy of the four packages with one module more."""
    for top, package in tree.PACKAGES.items():
        (root / top / package).mkdir(parents=True)
        (root / top / package / "__init__.py").touch()
    for known in ("vocabulary", "table", "logic", "invariant", "tlb"):
        (root / "spec/xenspec" / f"{known}.py").touch()
    path = root / module
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, "utf-8")
    (path.parent / "__init__.py").touch()


@pytest.mark.parametrize(
    ("module", "text", "broken"),
    [
        ("spec/xenspec/a.py", "import xenmodel", "one direction"),
        ("model/xenmodel/a.py", "import xenproofs", "one direction"),
        ("model/xenmodel/a.py", "import msgspec", "standard library only"),
        ("model/xenmodel/a.py", "import xenspec.tlb", "never its invariants"),
        ("model/xenmodel/memory/pins.py", "from xenspec.tlb import x", "never its invariants"),
        ("proofs/xenproofs/judge/replay.py", "import z3", "solvers only"),
        ("proofs/xenproofs/solvers/z3.py", "import hypothesis", "Hypothesis only"),
        ("tool/xencheck/a.py", "import msgspec", "msgspec only"),
    ],
)
def test_each_contract_flags_a_planted_import(tmp_path: Path, module: str, text: str, broken: str) -> None:
    plant(tmp_path, module, text)
    done = lint(tmp_path)
    assert done.returncode == 1, done.stdout + done.stderr
    assert [line for line in done.stdout.splitlines() if broken in line and "BROKEN" in line], done.stdout


@pytest.mark.parametrize(
    ("module", "text"),
    [
        ("model/xenmodel/memory/pins.py", "from xenspec.logic import x"),
        ("proofs/xenproofs/solvers/z3.py", "import z3, cvc5"),
        ("proofs/xenproofs/machines/memory.py", "import hypothesis.stateful"),
        ("proofs/xenproofs/judge/trace/reader.py", "import msgspec"),
        ("proofs/xenproofs/judge/trace.py", "import msgspec"),
    ],
)
def test_the_contracts_let_pass_what_is_allowed(tmp_path: Path, module: str, text: str) -> None:
    plant(tmp_path, module, text)
    done = lint(tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
