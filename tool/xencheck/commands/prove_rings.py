"""`xencheck prove rings`: the facts of ring indices, and every step of a ring."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING

import click

from xencheck.exits import Exit

if TYPE_CHECKING:
    from xenproofs.obligations.ring_running import RingRun


def prove_rings(solvers: tuple[str, ...], *, seed: int, write_expected: bool, in_json: bool) -> Exit:
    """Prove what is to be proved of rings, and report it."""
    from xenproofs.obligations import ring_running

    run = ring_running.prove_rings(solvers, seed=seed, tell=_progress)
    if write_expected:
        ring_running.write_expected(run)
    differences = run.surprises()
    if in_json:
        click.echo(json.dumps(run.as_data(), indent=1))
    else:
        _show(run, differences)
    if run.violated or run.wrong:
        return Exit.VIOLATED
    if run.undecided:
        return Exit.UNDECIDED
    return Exit.VIOLATED if differences else Exit.HOLDS


def _progress(name: str) -> None:
    """Show on a terminal what is being proved."""
    if sys.stderr.isatty():
        click.echo(f"\r{name:<60}", err=True, nl=False)


def _show(run: RingRun, differences: list[str]) -> None:
    """Print a report."""
    click.echo(f"{'step':<16} {'paths':>5} {'refused':>7} {'proved':>6} {'trivial':>7} {'seconds':>7}")
    for r in run.reports:
        click.echo(
            f"{r.step:<16} {r.paths:>5} {r.refusals:>7} {r.proved:>6} {r.trivial:>7} {r.seconds:>7.1f}"
        )
    for title, names in (
        ("wrong", run.wrong),
        ("violated", run.violated),
        ("undecided", run.undecided),
        ("differs", differences),
    ):
        for name in names:
            click.echo(f"{title}: {name}")
    proved = sum(r.proved for r in run.reports)
    click.echo(
        f"rings: {run.facts} facts and {run.altered} altered ones decided, {proved} obligations of "
        f"{len(run.reports)} steps proved, by {' and '.join(run.solvers)}, {run.seconds:.1f} s"
    )
