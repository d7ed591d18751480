"""`xencheck fuzz`: hostile guests, at random, until time is up or something breaks."""

from __future__ import annotations

import json
import random
import re
import sys
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, TypedDict, Unpack

import click

from xencheck.exits import Exit

if TYPE_CHECKING:
    from collections.abc import Callable, Generator

    from xenproofs.machines.fuzz import FuzzReport, Notice
    from xenproofs.machines.story import Story

UNITS = {"": 1, "s": 1, "m": 60, "h": 3600}


class Duration(click.ParamType[float]):
    """A time as people write it: `90`, `90s`, `10m`, `2h`."""

    name = "time"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> float:
        """Return seconds."""
        found = re.fullmatch(r"(\d+(?:\.\d+)?)([smh]?)", str(value))
        if found is None or not float(found[1]):
            self.fail(f"{value!r} is no time: write 90s, 10m or 2h", param, ctx)
        return float(found[1]) * UNITS[found[2]]


class Options(TypedDict):
    """The options, as click gives them."""

    seconds: float
    seed: int | None
    jobs: int
    check: str
    episodes: int | None
    fault: str
    all_outcomes: bool
    database: Path | None
    in_json: bool


@click.command("fuzz")
@click.argument(
    "subsystem", type=click.Choice(["memory", "tlb", "walks", "grants", "events"]), default="memory"
)
@click.option(
    "--time", "seconds", type=Duration(), default="10m", show_default=True, help="How long to search."
)
@click.option(
    "--seed", type=click.IntRange(min=0), help="Seed of the campaign; a new one each time unless given."
)
@click.option("--jobs", type=click.IntRange(1, 64), default=1, show_default=True, help="Processes to use.")
@click.option(
    "--check",
    type=click.Choice(["call", "step"]),
    default="call",
    show_default=True,
    help="Hold every invariant after each move, or after each step of each call.",
)
@click.option("--episodes", type=click.IntRange(min=1), help="How many episodes to play at most.")
@click.option("--fault", default="", metavar="NAME", help="Plant this fault first: it should be found.")
@click.option(
    "--all-outcomes", is_flag=True, help="Fail if an answer that real Xen was seen to give is never reached."
)
@click.option(
    "--database",
    type=click.Path(path_type=Path, file_okay=False),
    help="Folder of the stories found before; in the user's cache folder unless given.",
)
@click.option("--json", "in_json", is_flag=True, help="Print one JSON object.")
def command(subsystem: str, **options: Unpack[Options]) -> Exit:
    """Attack the model with random calls of hostile guests, interleaved on several vCPUs.

    Two domains with two vCPUs each make mostly meaningful, sometimes hostile calls, which may be left
    standing after any step; processors fill, use and evict translations. All invariants are held all the
    time. The first breach is shown at once, then made as short as it gets within a minute, and told as a
    story and as a test. It is kept in the database, as a file that `xencheck replay` accepts; what is kept
    there is played again before anything else.

    Ends with 0 if nothing broke, 1 if something did, 3 if nothing was played.
    """
    from xenproofs.machines.episode import Plan
    from xenproofs.machines.faults import fault_named
    from xenproofs.machines.fuzz import Campaign
    from xenproofs.machines.traces import default_folder

    try:
        fault_named(options["fault"])
    except KeyError:
        raise click.BadParameter(f"there is no fault {options['fault']!r}", param_hint="--fault") from None
    seed = options["seed"]
    if seed is None:
        seed = random.SystemRandom().randrange(2**32)
    plan = Plan(seed, subsystem, every_step=options["check"] == "step", fault=options["fault"])
    with progress(options["seconds"]) as tell:
        campaign = Campaign(
            plan,
            options["seconds"],
            jobs=options["jobs"],
            episodes=options["episodes"],
            database=options["database"] or default_folder(),
            tell=tell,
        )
        click.echo(f"xencheck fuzz {subsystem} --seed {seed} --check {options['check']}", err=True)
        report = campaign.run()
    if options["in_json"]:
        click.echo(json.dumps(report.as_data()))
    else:
        show(report)
    return outcome(report, all_outcomes=options["all_outcomes"])


def outcome(report: FuzzReport, *, all_outcomes: bool) -> Exit:
    """Return the exit code that a report calls for."""
    if report.stories or (all_outcomes and report.unreached):
        return Exit.VIOLATED
    return Exit.HOLDS if report.calls else Exit.UNDECIDED


def show(report: FuzzReport) -> None:
    """Print a report."""
    from xenproofs.machines.story import as_test

    for call, outcomes in coverage(report).items():
        click.echo(f"{call:32} {outcomes}")
    if report.unreached:
        click.echo(f"never reached: {', '.join(report.unreached)}")
    for story in report.stories:
        tell_story(story)
        click.echo(f"\n{as_test(story)}")
    for path in report.files:
        click.echo(f"kept: xencheck replay {path}")
    if report.replayed:
        click.echo(f"{report.replayed} kept from earlier campaigns, played again first")
    pace = f"{report.calls_per_second:,.0f} calls a second with every check"
    click.echo(
        f"{report.calls:,} calls, {report.steps:,} steps, {report.episodes:,} episodes"
        f" in {report.seconds:.1f} s: {pace}"
    )
    ended = f"{report.stories[0].breach.name} is broken" if report.stories else "nothing broke"
    click.echo(f"{ended}; again: {again(report)}")


def again(report: FuzzReport) -> str:
    """Return the command that plays the same once more: the campaign, or the kept story that ended it."""
    if not report.episodes and report.files:
        return f"xencheck replay {report.files[0]}"
    step = "step" if report.plan.every_step else "call"
    fault = f" --fault {report.plan.fault}" if report.plan.fault else ""
    words = f"--seed {report.plan.seed} --check {step} --episodes {report.episodes}"
    return f"xencheck fuzz {report.plan.subsystem} {words}{fault}"


def coverage(report: FuzzReport) -> dict[str, str]:
    """Return the outcomes of each call with their counts."""
    table: dict[str, list[str]] = {}
    for name, count in sorted(report.coverage.items()):
        call, _, end = name.partition(" × ")
        table.setdefault(call, []).append(f"{end}: {count:,}")
    return {call: "  ".join(ends) for call, ends in table.items()}


def tell_story(story: Story) -> None:
    """Print a story."""
    from xenproofs.machines.story import as_text

    click.echo(f"\n{as_text(story)}")


@contextmanager
def progress(seconds: float) -> Generator[Callable[[Notice], None]]:
    """Show on standard error what is found, and on a terminal how far the campaign has come."""
    from xenproofs.machines.fuzz import Found, Running, Shrinking
    from xenproofs.machines.story import as_text

    if not sys.stderr.isatty():
        yield lambda notice: click.echo(_found(notice.story), err=True) if isinstance(notice, Found) else None
        return
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

    columns = (TextColumn("{task.description}"), BarColumn(), TimeElapsedColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        search = bar.add_task("searching", total=seconds)

        def tell(notice: Notice) -> None:
            if isinstance(notice, Running):
                told = f"{notice.calls:,} calls"
                bar.update(search, completed=notice.seconds, description=told)
            elif isinstance(notice, Shrinking):
                told = f"shrinking: {notice.moves} moves"
                bar.update(search, completed=notice.used, total=notice.budget, description=told)
            else:
                bar.console.print(as_text(notice.story), markup=False, highlight=False)

        yield tell


def _found(story: Story) -> str:
    if story.found_in < 0:
        return f"found before, and still broken: {story.breach.text}"
    return f"found in episode {story.found_in}: {story.breach.text}\nshrinking {len(story.moves)} moves …"
