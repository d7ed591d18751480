"""`xencheck replay`."""

from __future__ import annotations

import signal
import sys
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, TypedDict, Unpack

import click

from xencheck.exits import Exit

if TYPE_CHECKING:
    from collections.abc import Generator, Sequence

    from xenproofs.judge.replay.engine import Replay
    from xenproofs.judge.replay.report import ReplayReport

FILE = click.Path(path_type=Path, dir_okay=False)


class Options(TypedDict):
    """The options, as click gives them."""

    start: Path | None
    expect: Path | None
    check: str
    saved: Path | None
    until: int | None
    in_json: bool


@click.command("replay")
@click.argument("recordings", type=FILE, nargs=-1, required=True, metavar="RECORDING...")
@click.option("--from", "start", type=FILE, help="Snapshot or saved state to begin at; stories need none.")
@click.option("--expect", type=FILE, help="Snapshot that the end must agree with.")
@click.option(
    "--check",
    type=click.Choice(["off", "call", "step"]),
    default="off",
    show_default=True,
    help="Evaluate the invariants: not at all, after every call, or after every step.",
)
@click.option("--save-state", "saved", type=FILE, help="Where to save the state at the end.")
@click.option("--until", type=click.IntRange(min=0), help="Number of the last hypercall to play.")
@click.option("--json", "in_json", is_flag=True, help="Report as JSON.")
def command(recordings: tuple[Path, ...], **options: Unpack[Options]) -> Exit:
    """Replay recordings of a real guest on a real Xen and check every answer.

    The model answers each hypercall first; the recording is looked at afterwards. Recordings follow each
    other in the order given. Stories that `xencheck fuzz` has kept are accepted as well: each is played
    from the start of its small world, with the fault that it was found with and as it was checked.
    """
    from xenproofs.machines.traces import is_story

    if all(map(is_story, recordings)):
        return play_stories(recordings, in_json=options["in_json"])
    start = options["start"]
    if start is None:
        raise click.MissingParameter(param_hint="--from", param_type="option")
    return play_recordings(recordings, start, options)


def play_recordings(recordings: tuple[Path, ...], start: Path, options: Options) -> Exit:
    """Replay recordings from a snapshot or a saved state."""
    from xenproofs.judge.replay.beginning import begin
    from xenproofs.judge.replay.checking import Check, Checking
    from xenproofs.judge.replay.expectation import compare
    from xenproofs.judge.replay.explain import explain, first_found
    from xenproofs.judge.replay.playing import play_all
    from xenproofs.judge.replay.saving import save
    from xenproofs.judge.trace import read_snapshot

    expected = None if options["expect"] is None else read_snapshot(options["expect"])
    replay = begin(start)
    check = Check(options["check"])
    checking = None if check is Check.OFF else Checking(replay, check)
    until = options["until"]
    last = until if until is not None else expected.at_n if expected else None
    with interruptible(replay), progress(replay, last):
        play_all(replay, recordings, until)
    report = replay.report
    if checking is not None:
        checking.finish()
    report.interrupted = replay.stop
    if expected is not None and not replay.stop:
        report.expectation = compare(replay.machine, expected)
    found = first_found(report)
    explanation = [] if found is None else explain(start, recordings, found)
    if options["saved"] is not None:
        save(replay, options["saved"])
    show(report, explanation, in_json=options["in_json"])
    return outcome(report)


def play_stories(paths: Sequence[Path], *, in_json: bool) -> Exit:
    """Play stories; what one breaks is a violation."""
    from xencheck.report.stories import StoryReport, as_json, as_text
    from xenproofs.machines.traces import read_trace

    traces = [(path, read_trace(path)) for path in paths]
    reports = [StoryReport(str(path), trace, trace.play()) for path, trace in traces]
    click.echo(as_json(reports) if in_json else as_text(reports))
    return Exit.VIOLATED if any(report.found for report in reports) else Exit.HOLDS


def outcome(report: ReplayReport) -> Exit:
    """Return the exit code that a report calls for."""
    if report.interrupted:
        return Exit.INTERRUPTED
    if not report.agrees:
        return Exit.VIOLATED
    return Exit.HOLDS if report.calls.judged else Exit.UNDECIDED


def show(report: ReplayReport, explanation: Sequence[str], *, in_json: bool) -> None:
    """Print a report."""
    from xencheck.report.replay import as_json, as_text

    if in_json:
        import json

        click.echo(json.dumps(as_json(report, explanation), indent=1))
    else:
        click.echo(as_text(report, explanation))


@contextmanager
def interruptible(replay: Replay) -> Generator[None]:
    """Let the first Ctrl-C end the replay between two lines; the second one ends it at once."""

    def ask(_signal: int, _frame: object) -> None:
        replay.stop = True
        signal.signal(signal.SIGINT, signal.default_int_handler)

    before = signal.signal(signal.SIGINT, ask)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


@contextmanager
def progress(replay: Replay, last: int | None) -> Generator[None]:
    """Show on a terminal how far the replay has come; `last` is the last hypercall, if it is known."""
    if not sys.stderr.isatty():
        yield
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

    columns = (TextColumn("hypercall"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("hypercall", total=last, completed=replay.position.top)
        replay.on_progress = lambda n: bar.update(task, completed=n)
        yield
