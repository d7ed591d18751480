"""`xencheck duel`."""

from __future__ import annotations

import json
import re
import secrets
import signal
import sys
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Literal, TypedDict, Unpack

import click

from xencheck.exits import Exit

if TYPE_CHECKING:
    from collections.abc import Callable, Generator

    from xenproofs.duel.duel import Duel, Plan
    from xenproofs.duel.events import DuelReport, Event
    from xenproofs.duel.live.tools import Tools

UNITS = {"s": 1, "m": 60, "h": 3600}
DEFAULT_TIME = 300.0
LARGEST_SEED = 2**32


def duration(_context: click.Context, option: click.Parameter, value: str | None) -> float | None:
    """Return the seconds of a time such as 90, 90s, 5m or 1h."""
    if value is None:
        return None
    found = re.fullmatch(r"(\d+(?:\.\d+)?)([smh]?)", value)
    if found is None:
        raise click.BadParameter(f"{value!r} is not a time such as 90s, 5m or 1h", param=option)
    return float(found[1]) * UNITS[found[2] or "s"]


class Options(TypedDict):
    """The options, as click gives them."""

    seconds: float | None
    cases: int | None
    seed: int | None
    families: str | None
    guest: bool
    in_json: bool
    keep: Path | None
    tools: Path | None


@click.command("duel")
@click.option(
    "--time",
    "seconds",
    callback=duration,
    metavar="TIME",
    help="How long to ask, as 90s, 5m or 1h; 5m if --cases is not given.",
)
@click.option("--cases", type=click.IntRange(1), help="How many cases to ask.")
@click.option("--seed", type=click.IntRange(0), help="Where the cases come from; chosen if not given.")
@click.option("--families", help="Generators to draw from, with commas; all if not given.")
@click.option("--guest", is_flag=True, help="Let an unprivileged guest ask, not Domain0.")
@click.option("--json", "in_json", is_flag=True, help="Report as JSON.")
@click.option(
    "--keep",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Save the cases with real Xen's answers, for `xencheck oracle` (.gz compresses).",
)
@click.option(
    "--tools",
    type=click.Path(path_type=Path, file_okay=False),
    help="Folder made by `make -C tests/duel setup`; else $XENCHECK_DUEL, else that of the checkout.",
)
def command(**options: Unpack[Options]) -> Exit:
    """Put fresh cases to the model and to the live real Xen: they must agree.

    Sequences of calls are generated; a real Xen, booted under QEMU, answers them in batches while the model
    is held against the answers before. What disagrees is asked again, then shortened by asking.

    Ends with 0 if all agree, 1 if any disagrees, 3 if there was no duel: what is missing is said.
    """
    from xenproofs.duel.events import DuelReport
    from xenproofs.duel.live.qemu import Died
    from xenproofs.duel.live.tools import Missing, find_tools

    plan = _plan(options)
    tools = find_tools(options["tools"], guest=options["guest"])
    if isinstance(tools, Missing):
        report = DuelReport(plan.seed, plan.by, skipped=tools.reason)
    else:
        try:
            report = _fight(plan, tools, options)
        except Died as end:
            report = DuelReport(plan.seed, plan.by, skipped=f"real Xen did not come up: {end}")
    _show(report, options)
    return outcome(report)


def outcome(report: DuelReport) -> Exit:
    """Return the exit code that a report calls for."""
    if report.interrupted:
        return Exit.INTERRUPTED
    if report.disagreed:
        return Exit.VIOLATED
    if report.skipped is not None or not report.agreed:
        return Exit.UNDECIDED
    return Exit.HOLDS


def _plan(options: Options) -> Plan:
    from xenproofs.duel.duel import Plan
    from xenproofs.duel.generate import FAMILIES

    given = options["families"]
    seconds, cases = options["seconds"], options["cases"]
    by: Literal["dom0", "guest"] = "guest" if options["guest"] else "dom0"
    plan = Plan(
        secrets.randbelow(LARGEST_SEED) if options["seed"] is None else options["seed"],
        by,
        tuple(FAMILIES) if given is None else tuple(given.split(",")),
        cases,
        DEFAULT_TIME if seconds is None and cases is None else seconds,
    )
    plan.check()
    return plan


def _fight(plan: Plan, tools: Tools, options: Options) -> DuelReport:
    from xencheck import __version__
    from xencheck.report.duel import first_line
    from xenproofs.duel.duel import Duel
    from xenproofs.duel.events import Versions
    from xenproofs.duel.live.qemu import Died, emulator_version
    from xenproofs.duel.live.xen import LiveXen
    from xenproofs.judge.oracle.play import Player
    from xenproofs.judge.trace.questions import CaseWriter

    with ExitStack() as held:
        writer = CaseWriter(options["keep"]) if options["keep"] else None
        if writer is not None:
            held.callback(writer.close)
        xen = held.enter_context(LiveXen(tools, by=plan.by))
        versions = Versions(__version__, xen.version(), emulator_version(tools))
        if not options["in_json"]:
            click.echo(first_line(plan.seed, plan.by, versions))
        tell = held.enter_context(_told(plan, shown=not options["in_json"]))
        duel = Duel(plan, xen, Player(), tell, writer.add if writer else None)
        duel.report.versions = versions
        held.enter_context(_interruptible(duel))
        try:
            duel.run()
        except Died as end:
            duel.report.skipped = f"ended early, real Xen did not come up again: {end}"
        duel.report.boots = xen.boots
        if writer is not None:
            writer.finish()
        return duel.report


def _show(report: DuelReport, options: Options) -> None:
    from xencheck.report.duel import again, figures, story

    if options["in_json"]:
        click.echo(json.dumps(report.as_data()))
        return
    for found in report.disagreed:
        click.echo("\n".join(["", *story(found, short=True)]))
    for line in figures(report):
        click.echo(line)
    families = options["families"]
    if report.cases:
        click.echo(f"again: {again(report, tuple(families.split(',')) if families else None)}")


@contextmanager
def _told(plan: Plan, *, shown: bool) -> Generator[Callable[[Event], None]]:
    """Show what happens: the first story of each disagreement at once, and how far the duel has come."""
    from rich.console import Console
    from rich.progress import Progress as Bar
    from rich.progress import SpinnerColumn, TextColumn, TimeElapsedColumn

    from xencheck.report.duel import story
    from xenproofs.duel.events import Found, Progress, Shortening

    console = Console(stderr=True, highlight=False, soft_wrap=True)
    columns = (SpinnerColumn(), TextColumn("{task.description}"), TimeElapsedColumn())
    with Bar(*columns, console=console, transient=True, disable=not sys.stderr.isatty()) as bar:
        task = bar.add_task("asking", total=plan.cases)

        def tell(event: Event) -> None:
            if isinstance(event, Progress):
                so_far = event.report
                counts = f"{so_far.cases:,} cases, {so_far.agreed:,} agree, {so_far.pace:,.0f} a second"
                bar.update(task, completed=so_far.cases, description=counts)
            elif isinstance(event, Shortening):
                budget = f"{event.asked} of {event.budget} questions"
                bar.update(task, description=f"shortening: {event.ops} operations, {budget}")
            elif isinstance(event, Found) and shown:
                console.print("\n".join(story(event.disagreement, short=False)), markup=False)

        yield tell


@contextmanager
def _interruptible(duel: Duel) -> Generator[None]:
    """Let the first Ctrl-C end the duel after the batch in progress; the second one ends it at once."""

    def ask(_signal: int, _frame: object) -> None:
        duel.stop = duel.report.interrupted = True
        signal.signal(signal.SIGINT, signal.default_int_handler)

    before = signal.signal(signal.SIGINT, ask)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
