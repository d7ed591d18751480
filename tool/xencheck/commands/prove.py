"""`xencheck prove`."""

from __future__ import annotations

import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, TypedDict, Unpack

import click

from xencheck.exits import Exit

if TYPE_CHECKING:
    from xenproofs.obligations.outcomes import StepReport
    from xenproofs.obligations.proving import Options
    from xenproofs.obligations.running import ProofRun

FOLDER = click.Path(path_type=Path, file_okay=False)
EVERYTHING = 100
"""Percent."""


class Arguments(TypedDict):
    """The options, as click gives them."""

    step: str | None
    solver: str
    sample: int
    smt2: Path | None
    jobs: int
    cache: bool
    seed: int
    write_expected: bool
    in_json: bool


@click.command("prove")
@click.argument("subsystem", required=False)
@click.option("--step", metavar="NAME", help="Prove one step only.")
@click.option("--solver", type=click.Choice(["z3", "cvc5", "both"]), default="z3", show_default=True)
@click.option(
    "--sample", type=click.IntRange(1, 100), default=100, metavar="PERCENT", help="Prove a part only."
)
@click.option("--smt2", type=FOLDER, help="Write every obligation there as SMT-LIB.")
@click.option("--jobs", type=click.IntRange(min=1), default=2, show_default=True, help="Processes.")
@click.option("--cache/--no-cache", default=True, help="Use verdicts of earlier runs; on by default.")
@click.option("--seed", type=int, default=1, show_default=True, help="Seed of the solvers.")
@click.option("--write-expected", is_flag=True, help="Check this run's numbers in as the expected ones.")
@click.option("--json", "in_json", is_flag=True, help="Report as JSON.")
def command(subsystem: str | None, **arguments: Unpack[Arguments]) -> Exit:
    """Prove that every step of the model keeps every invariant, for any number of everything.

    An obligation is a step, a feasible path that changes a row, and an invariant that reads what changed.
    `rings` alone stands apart: I/O rings, whose indices are vectors of 32 bits.
    """
    from xencheck.commands.prove_rings import prove_rings
    from xenproofs.obligations.failing import find_story
    from xenproofs.obligations.proving import Options
    from xenproofs.obligations.running import chosen, write_expected

    solver = arguments["solver"]
    solvers = ("z3", "cvc5") if solver == "both" else (solver,)
    if subsystem == "rings":
        writing, in_json = arguments["write_expected"], arguments["in_json"]
        return prove_rings(solvers, seed=arguments["seed"], write_expected=writing, in_json=in_json)
    names = chosen(subsystem, arguments["step"])
    if not names:
        raise click.UsageError(f"no step of the model answers to {subsystem or ''} {arguments['step'] or ''}")
    options = Options(
        solvers=solvers,
        sample=arguments["sample"],
        keep_questions=arguments["smt2"] is not None,
        cache=arguments["cache"],
        seed=arguments["seed"],
    )
    run = execute(names, options, arguments["jobs"], arguments["smt2"])
    find_story(run.reports, jobs=arguments["jobs"])
    if arguments["write_expected"]:
        write_expected(run.reports)
    whole = subsystem is None and arguments["step"] is None
    differences = compared(run, whole=whole, sample=arguments["sample"])
    show(run, differences, in_json=arguments["in_json"])
    return outcome(run, differences)


def execute(names: list[str], options: Options, jobs: int, smt2: Path | None) -> ProofRun:
    """Prove the steps, telling of each on the terminal."""
    from xenproofs.obligations.running import ProofRun, local_executor, prove

    run = ProofRun()
    began = time.perf_counter()
    with local_executor(jobs) as executor:
        for report in prove(names, options, executor):
            run.reports.append(report)
            if smt2 is not None:
                export(report, smt2)
            if sys.stderr.isatty():
                click.echo(
                    f"\r{len(run.reports):3} of {len(names)} steps  {report.step:<24}", err=True, nl=False
                )
    if sys.stderr.isatty():
        click.echo("\r" + " " * 50 + "\r", err=True, nl=False)
    run.seconds = time.perf_counter() - began
    return run


def export(report: StepReport, folder: Path) -> None:
    """Write the obligations of a step as SMT-LIB, one file each; `unsat` is what proves them."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, question in report.questions:
        safe = "".join(c if c.isalnum() or c in "-_" else "_" for c in name)
        text = f"; {name}\n(set-logic ALL)\n{question}(check-sat)\n"
        (folder / f"{safe}.smt2").write_text(text, "utf-8")


def compared(run: ProofRun, *, whole: bool, sample: int) -> list[str]:
    """Return where the numbers differ from those that are checked in."""
    from xenproofs.obligations.running import surprises

    return surprises(run.reports, whole=whole) if sample == EVERYTHING else []


def outcome(run: ProofRun, differences: list[str]) -> Exit:
    """Return the exit code that a run calls for."""
    from xenproofs.obligations.outcomes import Kind

    if run.count(Kind.VIOLATED) or run.count(Kind.NOT_INDUCTIVE):
        return Exit.VIOLATED
    if not run.green:
        return Exit.UNDECIDED
    return Exit.VIOLATED if differences else Exit.HOLDS


def show(run: ProofRun, differences: list[str], *, in_json: bool) -> None:
    """Print a report."""
    from xencheck.report.prove import as_json, as_text

    if in_json:
        import json

        click.echo(json.dumps(as_json(run), indent=1))
    else:
        click.echo(as_text(run, differences))
