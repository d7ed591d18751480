"""The report of a duel, as text."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from xenproofs.judge.trace.plain import as_data

if TYPE_CHECKING:
    from collections.abc import Iterator

    from xenproofs.duel.events import Disagreement, DuelReport, Versions

WHO = {"dom0": "Domain0", "guest": "an unprivileged guest"}


def first_line(seed: int, by: str, versions: Versions) -> str:
    """Say who takes part, and the seed."""
    return (
        f"duel, seed {seed}: xencheck {versions.xencheck} against Xen {versions.xen} "
        f"(QEMU {versions.qemu}), asked by {WHO[by]}"
    )


def again(report: DuelReport, families: tuple[str, ...] | None) -> str:
    """Return the command that asks the same cases."""
    words = ["xencheck", "duel", "--seed", str(report.seed), "--cases", str(report.cases)]
    if families is not None:
        words += ["--families", ",".join(families)]
    return " ".join([*words, "--guest"] if report.by == "guest" else words)


def figures(report: DuelReport) -> Iterator[str]:
    """Give the figures, one a line."""
    yield (
        f"cases       {report.cases:,} ({report.ops:,} operations): {report.agreed:,} agree, "
        f"{report.pace:,.0f} a second, {report.boots} boots"
    )
    for name, count in sorted(report.deviations.items()):
        yield f"deviation   {name} of real Xen from what must hold: {count:,} cases"
    if report.transient:
        yield f"transient   {report.transient:,} cases disagreed once and agreed when asked again"
    if report.disagreed:
        total = len(report.disagreed) + report.disagreed_unexplored
        yield f"disagreed   {total:,} cases, {len(report.disagreed)} of them shortened"
    if report.skipped is not None:
        yield f"skipped: {report.skipped}"


def story(found: Disagreement, *, short: bool) -> Iterator[str]:
    """Tell of one disagreement; `short` where it has been shortened."""
    ops = found.question.ops
    length = f"{len(ops)} operations"
    if short:
        length += f" ({found.found_ops} when found; {found.asked} questions to shorten it)"
    yield f"case {found.question.id}, {length}: {', '.join(found.fields)}"
    for number, op in enumerate(ops):
        mark = ">" if number == found.index else " "
        yield f"  {mark} {number:2} {json.dumps(as_data(op))}"
    yield f"    real Xen  {json.dumps(found.xen)}"
    yield f"    model     {json.dumps(found.model)}"
