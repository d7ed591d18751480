"""What `xencheck replay` prints of stories."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING

from xenproofs.machines.story import tell

if TYPE_CHECKING:
    from collections.abc import Sequence

    from xenproofs.machines.breach import Breach
    from xenproofs.machines.traces import Trace

SCHEMA_VERSION = 1


@dataclass(frozen=True, slots=True)
class StoryReport:
    """A story that was played again."""

    path: str
    trace: Trace
    found: Breach | None
    """What it breaks now."""


def as_json(reports: Sequence[StoryReport]) -> str:
    """Return reports as one JSON object."""
    stories = [
        {
            "path": report.path,
            "subsystem": report.trace.subsystem,
            "check": "step" if report.trace.every_step else "call",
            "fault": report.trace.fault,
            "moves": len(report.trace.moves),
            "expected": report.trace.invariant,
            "invariant": report.found.name if report.found else None,
        }
        for report in reports
    ]
    return json.dumps({"schema_version": SCHEMA_VERSION, "stories": stories})


def as_text(reports: Sequence[StoryReport]) -> str:
    """Return reports for a terminal."""
    return "\n\n".join(map(_text, reports))


def _text(report: StoryReport) -> str:
    fault = f", with the fault {report.trace.fault} planted" if report.trace.fault else ""
    moves = [f"{number:3}  {tell(move)}" for number, move in enumerate(report.trace.moves, start=1)]
    ended = f"broke {report.trace.invariant} when it was found; nothing breaks"
    if report.found is not None:
        ended = report.found.text
    return "\n".join((f"{report.path}: a story of {report.trace.subsystem}{fault}", *moves, ended))
