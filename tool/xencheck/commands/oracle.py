"""`xencheck oracle`: cases that real Xen has answered, played on the model."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import TYPE_CHECKING

import click

from xencheck.exits import Exit

if TYPE_CHECKING:
    from collections.abc import Iterator

    from xenproofs.judge.oracle.verdict import Divergence, Report


@click.command("oracle")
@click.argument("files", nargs=-1, required=True, type=click.Path(path_type=Path), metavar="FILE...")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
@click.option(
    "--check",
    type=click.Choice(["off", "call"]),
    default="off",
    show_default=True,
    help="Hold every invariant of the specification and the model after each operation.",
)
@click.option("--jobs", type=click.IntRange(1, 64), default=1, show_default=True, help="Processes to use.")
def command(files: tuple[Path, ...], *, check: str, as_json: bool, jobs: int) -> Exit:
    """Compare the model's answers with those of a real Xen, case by case.

    FILE holds cases with their answers, one a line (JSON Lines, plain or .gz). Every answer is compared:
    return code, count done, value, fault, and exactly the pages whose type or count changed. Cases with
    operations that are not modelled are counted and not judged.

    Ends with 0 if every case judged agrees, 1 if one diverges, 2 if a file is not one of cases, 3 if nothing
    was judged.
    """
    from xenproofs.judge.oracle.run import judge_files

    begun = time.perf_counter()
    report = judge_files(files, jobs=jobs, check=check == "call")
    seconds = time.perf_counter() - begun
    if as_json:
        click.echo(json.dumps(report.as_data(seconds)))
    else:
        _print(report, seconds)
    return _exit(report)


def _exit(report: Report) -> Exit:
    if report.cases_diverged or report.cases_broken:
        return Exit.VIOLATED
    return Exit.HOLDS if report.cases_agreed else Exit.UNDECIDED


def _print(report: Report, seconds: float) -> None:
    from rich.console import Console

    console = Console(highlight=False, soft_wrap=True)
    for line in _lines(report, seconds):
        console.print(line, markup=False)
    for _, file, found in report.diverged:
        for line in _story(file, found):
            console.print(line, markup=False)
    for _, file, breach in report.breaches:
        console.print(
            f"\n{file}:{breach.case.line}: case {breach.case.id}, operation {breach.index}:", markup=False
        )
        console.print(str(breach.violation), markup=False)


def _lines(report: Report, seconds: float) -> Iterator[str]:
    """Give the figures, one a line."""
    pace = report.cases / seconds if seconds else 0
    yield f"cases       {report.cases:,}: {report.cases_agreed:,} agree"
    yield f"operations  {report.ops:,}: {report.ops_agreed:,} agree"
    if report.not_modelled:
        parts = ", ".join(f"{name} {count:,}" for name, count in report.not_modelled.most_common())
        yield f"not judged, for operations that are not modelled: {parts}"
    for name, count in sorted(report.deviations.items()):
        yield f"deviation {name} of real Xen from what must hold: {count:,} cases"
    if report.cases_broken:
        yield f"invariants  broken in {report.cases_broken:,} cases, the first below"
    if report.cases_diverged:
        yield f"diverged    {report.cases_diverged:,} cases, the first {len(report.diverged)} below"
    elif not report.cases_agreed:
        yield "nothing was judged"
    yield f"{seconds:.1f} s, {pace:,.0f} cases a second"


def _story(file: str, found: Divergence) -> Iterator[str]:
    """Tell of one divergence."""
    fields = ", ".join(found.fields)
    yield ""
    yield f"{file}:{found.case.line}: case {found.case.id}, operation {found.index}: {fields}"
    yield f"    asked     {json.dumps(found.asked)}"
    yield f"    real Xen  {json.dumps(found.expected)}"
    yield f"    model     {json.dumps(found.answered)}"
