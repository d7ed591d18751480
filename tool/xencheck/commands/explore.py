"""`xencheck explore`: every state of a small world, breadth first."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING

import click

from xencheck.exits import Exit

if TYPE_CHECKING:
    from xenproofs.explorer.search import ExploreReport


@click.command("explore")
@click.argument("subsystem", type=click.Choice(["memory"]), default="memory")
@click.option("--scope", "name", default="alone", show_default=True, help="Which small world.")
@click.option("--unreduced", is_flag=True, help="Visit states apart that differ only in names of frames.")
@click.option("--fault", default="", metavar="NAME", help="Plant this fault first: it should be found.")
@click.option("--json", "in_json", is_flag=True, help="Print one JSON object.")
def command(subsystem: str, name: str, *, unreduced: bool, fault: str, in_json: bool) -> Exit:
    """Visit every state that a small world can reach, and hold every invariant in each.

    Scopes: alone, pair, linear, interleaved, "two interleaved", five. Those of bounded depth say that they
    are not complete. The first broken invariant ends the search with a shortest story.

    Ends with 0 if nothing broke, 1 if something did.
    """
    del subsystem  # one so far
    from xenproofs.explorer.scopes import SCOPES
    from xenproofs.explorer.search import Explorer
    from xenproofs.machines.faults import fault_named
    from xenproofs.machines.planting import planted

    if name not in SCOPES:
        raise click.BadParameter(f"one of {', '.join(SCOPES)}", param_hint="--scope")
    try:
        chosen = fault_named(fault)
    except KeyError:
        raise click.BadParameter(f"there is no fault {fault!r}", param_hint="--fault") from None
    with planted(chosen):
        report = Explorer(SCOPES[name], symmetry=not unreduced, tell=_progress).run()
    if in_json:
        click.echo(json.dumps(report.as_data()))
    else:
        _show(report)
    return Exit.VIOLATED if report.violations else Exit.HOLDS


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
