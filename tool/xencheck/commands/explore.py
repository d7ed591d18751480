"""`xencheck explore`: every state of a small world, breadth first."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING, TypedDict, Unpack

import click

from xencheck.exits import Exit

if TYPE_CHECKING:
    from collections.abc import Mapping

    from xenproofs.explorer.events.search import EventExplorer
    from xenproofs.explorer.rings.search import RingExplorer
    from xenproofs.explorer.search import Explorer, ExploreReport
    from xenproofs.explorer.walker import SmallScope
    from xenproofs.machines.planting import Fault


class Options(TypedDict):
    """The options, as click gives them."""

    unreduced: bool
    jobs: int
    fault: str
    in_json: bool


@click.command("explore")
@click.argument("subsystem", type=click.Choice(["memory", "events", "grants", "rings"]), default="memory")
@click.option("--scope", "name", default="", help="Which small world; the smallest if none is named.")
@click.option(
    "--unreduced", is_flag=True, help="Visit states apart that differ only in names of frames and domains."
)
@click.option("--jobs", type=click.IntRange(1, 64), default=1, show_default=True, help="Processes to use.")
@click.option("--fault", default="", metavar="NAME", help="Plant this fault first: it should be found.")
@click.option("--json", "in_json", is_flag=True, help="Print one JSON object.")
def command(subsystem: str, name: str, **options: Unpack[Options]) -> Exit:
    """Visit every state that a small world can reach, and hold every invariant in each.

    Scopes of memory: alone, flat, twins, pair, linear (whole calls); cached (translations, stale ones too);
    paused, raced (calls left standing while another vCPU makes whole calls); resumed, interleaved,
    "two interleaved" (a switch after any step); five, "five interleaved" (two domains with five frames).
    Those of bounded depth say that they are not complete. Scopes of rings: sc, tso and arm (sequential
    consistency, store buffers as of x86 and of Arm), each also "wide" (two slots, 32-bit indices at the wrap)
    and "two" (two slots, for ever); "sc lazy", "hostile frontend", "hostile frontend two", "hostile backend".
    Scopes of grants: map, two, "by entry", devices, own, replace, copy, parts, transfer, layout, cached,
    death, "death of devices", either, "two for either", "either dies", "either cached" (whole calls);
    paused, "paused copy", "paused death", "paused either", "paused layout", "paused
    parts", "paused transfer" (a call left standing while others make whole ones); interleaved.
    Scopes of event channels: send, mask, sleep, polls, close, retarget, timer, apart, ports, each
    in either ABI ("send 2l", "send fifo"); "reset 2l", "priority fifo".

    The first broken invariant ends the search with a shortest story.

    Ends with 0 if nothing broke, 1 if something did.
    """
    fault, in_json = options["fault"], options["in_json"]
    planted = _fault(subsystem, fault)
    if subsystem in ("events", "rings"):
        report = _explore_alone(subsystem, name, planted, options["jobs"])
    else:
        scope = _scope(subsystem, name)
        report = _explorer(scope, planted, unreduced=options["unreduced"], jobs=options["jobs"]).run()
    if in_json:
        click.echo(json.dumps(report.as_data()))
    else:
        _show(report)
    return Exit.VIOLATED if report.violations else Exit.HOLDS


def _scope(subsystem: str, name: str) -> SmallScope:
    """Return a scope of memory or grants by its name; the smallest if none is named."""
    from xenproofs.explorer.grants.scopes import SCOPES as OF_GRANTS
    from xenproofs.explorer.scopes import SCOPES as OF_MEMORY

    scopes: Mapping[str, SmallScope] = OF_GRANTS if subsystem == "grants" else OF_MEMORY
    name = name or next(iter(scopes))
    if name not in scopes:
        raise click.BadParameter(f"one of {', '.join(scopes)}", param_hint="--scope")
    return scopes[name]


def _explorer(scope: SmallScope, fault: Fault | None, *, unreduced: bool, jobs: int) -> Explorer:
    """Return the explorer of a scope whose states are compared up to exchanges of what is alike."""
    from xenproofs.explorer.search import Explorer

    return Explorer(scope, symmetry=not unreduced, jobs=jobs, fault=fault, tell=_progress)


def _explore_alone(subsystem: str, name: str, fault: Fault | None, jobs: int) -> ExploreReport:
    """Explore a scope of rings or event channels, in one process."""
    from xenproofs.machines.planting import planted

    if jobs > 1:
        raise click.BadParameter(f"{subsystem} are explored by one process", param_hint="--jobs")
    explorer = _rings(name, books=fault is None) if subsystem == "rings" else _events(name)
    with planted(fault):
        return explorer.run()


def _events(name: str) -> EventExplorer:
    """Return the explorer of a scope of event channels."""
    from xenproofs.explorer.events.scopes import SCOPES
    from xenproofs.explorer.events.search import EventExplorer

    name = name or next(iter(SCOPES))
    if name not in SCOPES:
        raise click.BadParameter(f"one of {', '.join(SCOPES)}", param_hint="--scope")
    return EventExplorer(SCOPES[name], tell_progress=_progress)


def _rings(name: str, *, books: bool) -> RingExplorer:
    """Return the explorer of a scope of rings; `books`: the model's books are looked at too."""
    from xenproofs.explorer.rings.scopes import SCOPES
    from xenproofs.explorer.rings.search import RingExplorer

    name = name or next(iter(SCOPES))
    if name not in SCOPES:
        raise click.BadParameter(f"one of {', '.join(SCOPES)}", param_hint="--scope")
    return RingExplorer(SCOPES[name], books=books, tell_progress=_progress)


def _fault(subsystem: str, name: str) -> Fault | None:
    """Return a fault to plant, by its name; none for the empty name."""
    from xenproofs.bugs.rings import FAULTS
    from xenproofs.machines.faults import fault_named

    try:
        if subsystem == "rings":
            return FAULTS[name].fault if name else None
        return fault_named(name)
    except KeyError:
        raise click.BadParameter(f"there is no fault {name!r}", param_hint="--fault") from None


def _progress(report: ExploreReport) -> None:
    """Show on a terminal how far the search has come."""
    if sys.stderr.isatty():
        click.echo(f"\r{report.states:,} states, depth {report.depth}", err=True, nl=False)


def _show(report: ExploreReport) -> None:
    """Print a report."""
    for violation in report.violations:
        click.echo(violation.text)
        for number, line in enumerate(violation.story, start=1):
            click.echo(f"{number:3}  {line}")
    pace = report.states / report.seconds if report.seconds else 0
    whole = "complete" if report.complete else "not complete"
    click.echo(
        f"{report.scope}: {report.states:,} states, {report.transitions:,} transitions, depth {report.depth},"
        f" {whole}, {report.seconds:.1f} s, {pace:,.0f} states a second"
    )
