"""The stages of the suite, as a table. To add a stage, add a line to one of the three lists at the end.

A stage is a command with a time limit. It is `ok` only if the command was run and ended with 0. Where a path
that it needs is absent, or a stage that it follows did not end well, it is `not run`, with the reason; it is
never counted as ok.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Final


@dataclass(frozen=True, slots=True)
class Stage:
    """One command of the suite.

    Args:
        name: what the table at the end calls it, and `--only` too.
        command: its words; they run at the root of the tree.
        limit: seconds after which the command is ended and the stage has failed.
        needs: paths, from the root of the tree, without which the stage is not run.
        after: stages that must have ended well before.
        cores: how many cores it keeps busy; a stage that asks for all of them runs alone.
        shown: how many last lines of its output are shown when it is ok (a failed stage shows far more).
    """

    name: str
    command: tuple[str, ...]
    limit: int = 120
    needs: tuple[str, ...] = ()
    after: tuple[str, ...] = ()
    cores: int = 1
    shown: int = 3


@dataclass(frozen=True, slots=True)
class Plan:
    """The stages of one `make` target, and the seconds that they may take together."""

    stages: tuple[Stage, ...]
    budget: int


def python(words: str) -> tuple[str, ...]:
    """Run a module of the environment that runs the suite; `words` hold no quotes."""
    return (sys.executable, "-m", *words.split())


def script(words: str) -> tuple[str, ...]:
    """Run a command that the same environment has installed."""
    name, *rest = words.split()
    return (str(Path(sys.executable).with_name(name)), *rest)


STORIES: Final = ".suite/stories"
BUNDLED: Final = "tests/recordings"
DUEL: Final = "tests/duel/build/xen"
"""Made by `make -C tests/duel setup`."""
CASES: Final = tuple(f"tests/recordings/oracle_sample{kind}.jsonl.gz" for kind in ("", "_other", "_grants"))
EXTREMES: Final = "tests/recordings/duel_extremes.jsonl.gz"
HALF: Final = ("tests/memory", "tests/events", "tests/rings")
"""Folders that take about as long as all others together."""
SHARED: Final = "../shared/recordings"
ORACLE: Final = "../shared/oracle"
ORACLE_FILES: Final = (
    *(
        f"{by}_{kind}.jsonl.gz"
        for by in ("dom0", "guest")
        for kind in ("sys_mem", "rnd_mem", "sys_evt", "rnd_evt", "sys_gnt", "rnd_gnt")
    ),
    "dom0_rnd_dom.jsonl.gz",
)


def replay(
    name: str, recordings: str, start: str, end: str, *, folder: str = SHARED, check: str = "off"
) -> Stage:
    """Replay recordings from a snapshot and compare the end with another; names without their endings."""
    files = [f"{folder}/{one}.jsonl.gz" for one in recordings.split()]
    ends = [f"{folder}/{one}.json.gz" for one in (start, end)]
    words = f"xencheck replay {' '.join(files)} --from {ends[0]} --expect {ends[1]} --check {check}"
    return Stage(name, python(words), limit=600, needs=(*files, *ends), shown=16)


EVIDENCE: Final = (
    replay("replay of r1's boot", "r1_boot", "r1_snap_sod", "r1_snap_0", folder=BUNDLED, check="call"),
    Stage("oracle cases", python(f"xencheck oracle {' '.join(CASES)}"), needs=CASES),
)

PROOFS: Final = (
    Stage(
        "prove, both solvers", python("xencheck prove --solver both --jobs 2"), limit=1500, cores=2, shown=6
    ),
)
COLD: Final = (
    Stage(
        "prove, both solvers, cold",
        python("xencheck prove --solver both --jobs 2 --no-cache"),
        limit=1500,
        cores=2,
        shown=6,
    ),
)

VERIFY: Final = (
    Stage("command line", python("xencheck --version")),
    *EVIDENCE,
    *PROOFS,
)

TEST: Final = (
    *EVIDENCE,
    # The longest first: two run at a time.
    Stage("unit tests, first half", python(f"pytest {' '.join(HALF)}"), limit=1800, shown=12),
    Stage(
        "unit tests, second half",
        python(f"pytest tests --ignore=tests/house/test_wheel.py {' '.join(f'--ignore={h}' for h in HALF)}"),
        limit=1800,
        shown=12,
    ),
    Stage(
        "oracle cases, with invariants",
        python(f"xencheck oracle --check call {' '.join((*CASES, EXTREMES))}"),
        needs=(*CASES, EXTREMES),
    ),
    Stage("pyright", python(f"pyright --pythonpath {sys.executable}"), limit=300),
    Stage("mypy", python("mypy"), limit=300),
    Stage("wheel", python("pytest tests/house/test_wheel.py"), limit=300, shown=12),
    Stage("docs", script("zensical build --clean --strict"), limit=180),
    Stage("imports", script("lint-imports"), limit=60),
    Stage("ruff check", python("ruff check"), limit=60),
    Stage("ruff format", python("ruff format --check"), limit=60),
    replay("replay of r1 chained", "r1_boot r1_workload", "r1_snap_sod", "r1_snap_1"),
    replay("replay of r1 resumed", "r1_workload", "r1_snap_0", "r1_snap_1"),
    replay("replay of r3's boot", "r3_boot", "r3_snap_sod", "r3_snap_0"),
    Stage("prove rings, z3", python("xencheck prove rings"), limit=900, shown=4),
    # These keep both cores busy, and run alone.
    # What they find is kept beside their logs: the outcome depends on the tree alone, not on what the user's
    # own campaigns have found before.
    Stage(
        "machines",
        python(f"xencheck fuzz --seed 1 --time 60s --jobs 2 --database {STORIES}"),
        limit=240,
        cores=2,
        shown=4,
    ),
    Stage(
        "machines, each step",
        python(f"xencheck fuzz --seed 2 --time 20s --check step --database {STORIES}"),
        limit=180,
        shown=4,
    ),
    *COLD,
    Stage(
        "oracle cases of ../shared",
        python(f"xencheck oracle --jobs 2 {' '.join(f'{ORACLE}/{name}' for name in ORACLE_FILES)}"),
        limit=600,
        needs=tuple(f"{ORACLE}/{name}" for name in ORACLE_FILES),
        cores=2,
        shown=8,
    ),
)

DEEP: Final = (
    Stage("prove rings, both", python("xencheck prove rings --solver both"), limit=7200, shown=4),
    Stage("damage to r1's boot", python("tests.replay.campaign"), limit=3600, cores=2, shown=1),
    # Wide scopes and long searches go here.
    Stage(
        "unit tests, deep", ("env", "XENCHECK_PROFILE=deep", *python("pytest tests")), limit=7200, shown=12
    ),
    Stage("proof, five seeds", python("xenproofs.obligations.spread 5"), limit=7200, cores=2, shown=12),
    Stage("mutants of every step", python("xenproofs.obligations.mutants"), limit=14400, cores=2, shown=1),
    Stage("what invariants are for", python("xenproofs.obligations.support"), limit=3600, cores=2, shown=1),
    # One core for the emulated machine, one for the model.
    Stage("duel", python("xencheck duel --time 30m"), limit=3600, needs=(DUEL,), cores=2),
    Stage("duel as a guest", python("xencheck duel --guest --time 15m"), limit=2700, needs=(DUEL,), cores=2),
    Stage(
        "machines, deep",
        python("xencheck fuzz --time 30m --jobs 2 --all-outcomes"),
        limit=2400,
        cores=2,
        shown=8,
    ),
)

PLANS: Final = {
    "verify": Plan(VERIFY, budget=1200),  # 5 minutes on two quiet cores
    "test": Plan(TEST, budget=3600),  # 20 minutes on two quiet cores; this leaves room for a busy machine
    "deep": Plan(DEEP, budget=24 * 3600),
}
