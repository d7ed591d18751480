"""The command line: how a run can end, what it says then, and how quickly it starts."""

from __future__ import annotations

import os
import resource
import subprocess
import sys
from typing import TYPE_CHECKING, Final

import click
import pytest

from tests.house import tree
from xencheck import __version__, cli
from xencheck.exits import Exit
from xenspec.errors import BadInput

if TYPE_CHECKING:
    from collections.abc import Callable

    Ending = Callable[[BaseException | Exit | None], None]

PLAIN_HELP: Final = ("-c", "import click; click.Command('plain').main(['--help'])")
OWN_SHARE: Final = 1.5
"""How much longer than an empty click command's help ours may take; the empty one takes some 0.08 s."""


@pytest.fixture
def ending(monkeypatch: pytest.MonkeyPatch) -> Ending:
    """Put in place of the commands one, called `end`, that ends as it is told."""

    def put(how: BaseException | Exit | None) -> None:
        @click.command("end")
        def end() -> Exit | None:
            if isinstance(how, BaseException):
                raise how
            return how

        monkeypatch.setitem(cli.COMMANDS, "end", cli.Lazy("End as told.", lambda: end))

    return put


@pytest.mark.parametrize(
    ("how", "code", "says"),
    [
        (Exit.HOLDS, 0, ""),
        (Exit.VIOLATED, 1, ""),
        (Exit.UNDECIDED, 3, ""),
        (
            BadInput("not a number", file="r1.jsonl", line=7, field="ret"),
            2,
            "xencheck: r1.jsonl:7: ret: not a number\n",
        ),
        (BadInput("no such recording"), 2, "xencheck: no such recording\n"),
        (click.ClickException("not available"), 2, "xencheck: not available\n"),
        (KeyboardInterrupt(), 130, "xencheck: interrupted\n"),
        (click.Abort(), 130, "xencheck: interrupted\n"),
        (ZeroDivisionError("by zero"), 4, "xencheck: internal error: ZeroDivisionError: by zero\n"),
        (None, 4, "xencheck: internal error: TypeError: a command returned None, not an exit code\n"),
    ],
    ids=repr,
)
def test_each_way_to_end_has_its_code_and_words(
    how: BaseException | Exit | None, code: int, says: str, ending: Ending, capsys: pytest.CaptureFixture[str]
) -> None:
    ending(how)
    assert cli.run(["end"]) == code
    printed = capsys.readouterr()
    assert printed.err.startswith(says)
    assert bool(printed.err) == bool(says)
    assert "Traceback" not in printed.err
    assert not printed.out


def test_debug_shows_where_a_fault_is(ending: Ending, capsys: pytest.CaptureFixture[str]) -> None:
    ending(ZeroDivisionError("by zero"))
    assert cli.run(["--debug", "end"]) == Exit.INTERNAL
    assert "Traceback" in capsys.readouterr().err


@pytest.mark.parametrize("arguments", [["nope"], ["--nope"], ["replay", "--nope"]])
def test_wrong_usage_is_2(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.run(arguments) == Exit.BAD_INPUT
    assert "Usage: " in capsys.readouterr().err


def test_version(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.run(["--version"]) == Exit.HOLDS
    assert capsys.readouterr().out == f"xencheck {__version__}\n"


def test_help_lists_every_command(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.run(["--help"]) == Exit.HOLDS
    printed = capsys.readouterr().out
    assert all(name in printed for name in cli.COMMANDS)


@pytest.mark.parametrize("name", sorted(cli.COMMANDS))
def test_a_command_and_its_line_in_the_table_agree(name: str) -> None:
    command = cli.COMMANDS[name].load()
    assert command.name == name
    assert command.get_short_help_str(limit=200) == cli.COMMANDS[name].summary


def test_output_that_nobody_reads_is_not_a_fault() -> None:
    reader, writer = os.pipe()
    os.close(reader)
    done = subprocess.run(
        [sys.executable, "-m", "xencheck", "--help"], stdout=writer, stderr=subprocess.PIPE, check=False
    )
    os.close(writer)
    assert (done.returncode, done.stderr) == (Exit.PIPE_CLOSED, b"")


def seconds_of(*arguments: str) -> float:
    """Give the least processor time, of some tries, that a run of the interpreter takes."""
    least = float("inf")
    for _ in range(7):
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        subprocess.run([sys.executable, *arguments], cwd=tree.ROOT, stdout=subprocess.DEVNULL, check=True)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        least = min(least, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)
    return least


def test_help_starts_quickly() -> None:
    assert seconds_of("-m", "xencheck", "--help") < OWN_SHARE * seconds_of(*PLAIN_HELP)


def test_a_slow_start_is_noticed() -> None:
    assert seconds_of("-c", "import hypothesis") > OWN_SHARE * seconds_of(*PLAIN_HELP)
