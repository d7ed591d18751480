"""The command `xencheck`: a table of commands that are imported when they are called.

Rules of this file: nothing heavier than click is imported at the top, the list of commands is `COMMANDS`
alone, and every way in which a run can end is mapped to an exit code in `run`. To add a command, write
`xencheck/commands/NAME.py` with a click command called `command` that returns an `Exit`, a loader below, and
its row.
"""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING, NamedTuple

import click

from xencheck import __version__
from xencheck.exits import Exit
from xenspec.errors import BadInput

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

NAME = "xencheck"


def _replay() -> click.Command:
    from xencheck.commands.replay import command

    return command


def _explore() -> click.Command:
    from xencheck.commands.explore import command

    return command


def _fuzz() -> click.Command:
    from xencheck.commands.fuzz import command

    return command


def _oracle() -> click.Command:
    from xencheck.commands.oracle import command

    return command


def _duel() -> click.Command:
    from xencheck.commands.duel import command

    return command


def _prove() -> click.Command:
    from xencheck.commands.prove import command

    return command


class Lazy(NamedTuple):
    """A command that is not imported yet; `summary` is its line in `xencheck --help`."""

    summary: str
    load: Callable[[], click.Command]


COMMANDS: dict[str, Lazy] = {
    "duel": Lazy("Put fresh cases to the model and to the live real Xen: they must agree.", _duel),
    "explore": Lazy(
        "Visit every state that a small world can reach, and hold every invariant in each.", _explore
    ),
    "fuzz": Lazy(
        "Attack the model with random calls of hostile guests, interleaved on several vCPUs.", _fuzz
    ),
    "oracle": Lazy("Compare the model's answers with those of a real Xen, case by case.", _oracle),
    "prove": Lazy(
        "Prove that every step of the model keeps every invariant, for any number of everything.", _prove
    ),
    "replay": Lazy("Replay recordings of a real guest on a real Xen and check every answer.", _replay),
}


class LazyGroup(click.Group):
    """A group that lists `COMMANDS` without importing any of them."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Give the names in the order of the help page."""
        del ctx
        return sorted(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import the one command that was asked for."""
        del ctx
        lazy = COMMANDS.get(cmd_name)
        return lazy.load() if lazy else None

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the list of commands from the table."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, COMMANDS[name].summary) for name in self.list_commands(ctx)])


@click.group(
    name=NAME,
    cls=LazyGroup,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    epilog="Exit codes: 0 holds, 1 violated, 2 usage or bad input, 3 undecided or skipped, 4 internal error.",
)
@click.version_option(__version__, message="%(prog)s %(version)s")
@click.option("--debug", is_flag=True, help="Show the traceback of an internal error.")
def cli(*, debug: bool) -> None:
    """Check an executable Xen against its specification and against the real one."""
    del debug  # read by `run`, which outlives the command's context


def run(arguments: Sequence[str]) -> int:
    """Run one command line and say how it ended; never raises, but for what ends the interpreter itself."""
    debug = False
    try:
        with cli.make_context(NAME, list(arguments)) as context:
            debug = bool(context.params["debug"])
            return _code(cli.invoke(context))
    except click.exceptions.Exit as done:
        return done.exit_code
    except (KeyboardInterrupt, click.Abort):
        click.echo(f"{NAME}: interrupted", err=True)
        return Exit.INTERRUPTED
    except (BadInput, click.ClickException) as error:
        _complain(error)
        return Exit.BAD_INPUT
    except BrokenPipeError:
        _forget_output()
        return Exit.PIPE_CLOSED
    except Exception as error:  # noqa: BLE001 - the last line of defence: any fault of ours becomes exit 4
        _confess(error, debug=debug)
        return Exit.INTERNAL


def main() -> None:
    """Run the process's own command line: the entry point."""
    code = run(sys.argv[1:])
    try:
        sys.stdout.flush()
    except BrokenPipeError:
        _forget_output()
        code = Exit.PIPE_CLOSED
    sys.exit(code)


def _code(result: object) -> int:
    """Turn what a command returned into an exit code: anything but an `Exit` is a fault of the command."""
    if not isinstance(result, Exit):
        raise TypeError(f"a command returned {result!r}, not an exit code")
    return result


def _complain(error: BadInput | click.ClickException) -> None:
    if isinstance(error, click.UsageError):
        error.show()
    elif isinstance(error, click.ClickException):
        click.echo(f"{NAME}: {error.format_message()}", err=True)
    else:
        click.echo(f"{NAME}: {error}", err=True)


def _confess(error: Exception, *, debug: bool) -> None:
    if debug:
        import traceback

        click.echo("".join(traceback.format_exception(error)), err=True, nl=False)
    click.echo(f"{NAME}: internal error: {type(error).__name__}: {error}", err=True)
    if not debug:
        click.echo(f"{NAME}: this is a fault of {NAME}; --debug before the command shows where", err=True)


def _forget_output() -> None:
    """Point stdout at nothing, so that the interpreter's own last flush cannot fail again."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
