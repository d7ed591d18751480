"""The suite tells the truth: what failed fails it, what was not run is never ok, nothing runs for ever."""

from __future__ import annotations

import sys
import time
from typing import TYPE_CHECKING

import pytest

from tests.suite import __main__ as suite
from tests.suite.runner import Outcome, Runner, log_of
from tests.suite.table import PLANS, Plan, Stage

if TYPE_CHECKING:
    from pathlib import Path


def stage(
    name: str,
    program: str = "pass",
    *,
    limit: int = 30,
    cores: int = 1,
    needs: tuple[str, ...] = (),
    after: tuple[str, ...] = (),
) -> Stage:
    return Stage(name, (sys.executable, "-c", program), limit=limit, cores=cores, needs=needs, after=after)


def outcomes(root: Path, *stages: Stage, budget: int = 60, cores: int = 2) -> dict[str, Outcome]:
    ended: list[Outcome] = []
    result = Runner(root, Plan(stages, budget), cores, ended.append).run()
    assert sorted(one.stage.name for one in ended) == sorted(one.stage.name for one in result)
    assert [one.stage for one in result] == list(stages)
    return {one.stage.name: one for one in result}


def exit_code(monkeypatch: pytest.MonkeyPatch, root: Path, *stages: Stage, budget: int = 60) -> int:
    monkeypatch.setattr(suite, "ROOT", root)
    return suite.run("sample", Plan(stages, budget), cores=2)


def test_a_stage_is_ok_only_if_its_command_ends_with_0(tmp_path: Path) -> None:
    done = outcomes(
        tmp_path, stage("good"), stage("bad", "raise SystemExit(3)"), stage("shot", "import os; os.abort()")
    )
    assert [(one.verdict, one.reason) for one in done.values()] == [
        ("ok", ""),
        ("failed", "exit code 3"),
        ("failed", "ended by signal 6"),
    ]


def test_a_stage_whose_need_is_absent_is_not_run(tmp_path: Path) -> None:
    done = outcomes(tmp_path, stage("reader", "raise SystemExit(1)", needs=("../nowhere",)))
    assert (done["reader"].verdict, done["reader"].reason) == ("not run", "absent: ../nowhere")


def test_a_stage_after_one_that_failed_is_not_run(tmp_path: Path) -> None:
    done = outcomes(
        tmp_path,
        stage("last", after=("middle",)),
        stage("middle", after=("first",)),
        stage("first", "raise SystemExit(1)"),
    )
    assert (done["middle"].verdict, done["middle"].reason) == ("not run", "after first, which was failed")
    assert (done["last"].verdict, done["last"].reason) == ("not run", "after middle, which was not run")


def test_a_stage_waits_for_what_it_follows(tmp_path: Path) -> None:
    program = "import pathlib, time; time.sleep(0.3); pathlib.Path('made').touch()"
    done = outcomes(tmp_path, stage("use", "open('made')", after=("make",)), stage("make", program))
    assert {one.verdict for one in done.values()} == {"ok"}


def test_a_stage_over_its_limit_is_ended_with_all_that_it_started(tmp_path: Path) -> None:
    child = "import time, pathlib; time.sleep(2); pathlib.Path('alive').touch()"
    program = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {child!r}])"
    done = outcomes(tmp_path, stage("slow", program, limit=1))
    assert (done["slow"].verdict, done["slow"].reason) == ("failed", "ended after its limit of 1 s")
    time.sleep(1.5)
    assert not (tmp_path / "alive").exists()


def test_when_the_time_is_used_up_what_runs_fails_and_the_rest_is_not_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stages = stage("slow", "import time; time.sleep(30)", cores=2), stage("next")
    done = outcomes(tmp_path, *stages, budget=1)
    assert (done["slow"].verdict, done["slow"].reason) == ("failed", "ended after the suite's time")
    assert (done["next"].verdict, done["next"].reason) == ("not run", "the suite's time was used up")
    assert exit_code(monkeypatch, tmp_path, stage("quick"), budget=0) == 1


def test_a_stage_that_asks_for_every_core_runs_alone(tmp_path: Path) -> None:
    alone = "import os, time; os.mkdir('lock'); time.sleep(0.3); os.rmdir('lock')"
    done = outcomes(tmp_path, *(stage(f"{n}", alone, cores=2) for n in range(3)))
    assert {one.verdict for one in done.values()} == {"ok"}
    shared = outcomes(tmp_path, *(stage(f"{n}", alone) for n in range(2)))
    assert "failed" in {one.verdict for one in shared.values()}, "two stages of one core did not run together"


@pytest.mark.parametrize(("program", "code"), [("pass", 0), ("raise SystemExit(1)", 1)])
def test_the_suite_fails_if_and_only_if_a_stage_does(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, program: str, code: int
) -> None:
    assert exit_code(monkeypatch, tmp_path, stage("other"), stage("sample", program)) == code


def test_a_suite_of_which_nothing_ran_fails(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert exit_code(monkeypatch, tmp_path, stage("absent", needs=("x",))) == 1


def test_the_report_counts_what_was_not_run_apart(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert (
        exit_code(
            monkeypatch, tmp_path, stage("good", "print('closing line')"), stage("absent", needs=("x",))
        )
        == 0
    )
    printed = capsys.readouterr().out
    assert "closing line" in printed
    assert "suite sample: 1 ok, 0 failed, 1 not run, in " in printed
    (row,) = [line for line in printed.splitlines() if line.startswith("absent  ")]
    assert row.split() == ["absent", "not", "run", "0.0", "absent:", "x"]


def test_every_plan_can_run() -> None:
    for plan in PLANS.values():
        names = [one.name for one in plan.stages]
        assert len(set(names)) == len(names)
        assert len({log_of(suite.ROOT, one) for one in plan.stages}) == len(names)
        assert {name for one in plan.stages for name in one.after} <= set(names)
