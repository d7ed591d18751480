"""The report of a replay, as JSON and as text."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeAlias

from xenproofs.judge.replay.report import SCHEMA_VERSION, SHOWN

if TYPE_CHECKING:
    from collections import Counter
    from collections.abc import Iterator, Mapping, Sequence

    from xenproofs.judge.replay.report import Breach, Checked, Compared, Difference, ReplayReport, Tally

Json: TypeAlias = "int | float | str | bool | Sequence[Json] | Mapping[str, Json] | None"


def as_json(report: ReplayReport, explanation: Sequence[str] = ()) -> dict[str, Json]:
    """Return the report as an object of JSON; `docs/replay.md` describes it."""
    document: dict[str, Json] = {
        "schema_version": SCHEMA_VERSION,
        "hypercalls": report.hypercalls,
        **_tally(report.calls),
        "diverged_total": report.diverged.total,
        "diverged": [_difference(one) for one in report.diverged.first],
        "subcalls": {**_tally(report.subcalls), "not_modelled": _counts(report.subcalls_not_modelled)},
        "trapped_writes": _tally(report.trapped),
        "events_told": _tally(report.told),
        "events": {
            **_tally(report.events),
            "diverged_total": report.event_differences.total,
            "diverged": [_difference(one) for one in report.event_differences.first],
        },
        "assumed": _counts(report.assumed),
        "not_modelled": _counts(report.not_modelled),
        "continuations": report.tails,
        "invariants": _checked(report.checked),
        "seconds": round(report.seconds, 3),
    }
    if report.expectation is not None:
        expected = report.expectation
        document["expect"] = {
            "tables": _compared(expected.tables),
            "page_info": _compared(expected.page_info),
            "m2p": _compared(expected.m2p),
        }
    if explanation:
        document["explanation"] = list(explanation)
    if report.interrupted:
        document["interrupted"] = True
    return document


def _checked(checked: Checked) -> Json:
    return {
        "instances": checked.instances,
        "evaluated": checked.evaluated,
        "violated_total": checked.violated,
        "violated": [_breach(one) for one in checked.first],
        "vacuous": checked.vacuous,
        "refusals": checked.refusals,
        "unasked_refusals": checked.unasked,
    }


def _difference(one: Difference) -> dict[str, Json]:
    return {
        "n": one.n,
        "op": one.op,
        "expected": one.expected,
        "got": one.got,
        "why": one.why,
        "file": one.file,
        "line": one.line,
    }


def _breach(one: Breach) -> dict[str, Json]:
    return {
        "invariant": one.name,
        "key": one.key,
        "sentence": one.sentence,
        "detail": one.detail,
        "when": one.when,
        "n": one.n,
        "op": one.op,
        "file": one.file,
        "line": one.line,
    }


def _tally(tally: Tally) -> dict[str, Json]:
    return {"judged": tally.judged, "agreed": tally.agreed}


def _counts(counts: Counter[str]) -> dict[str, Json]:
    return dict(sorted(counts.items()))


def _compared(compared: Compared) -> dict[str, Json]:
    return {"compared": compared.compared, "differ": compared.differ, "examples": compared.examples}


def as_text(report: ReplayReport, explanation: Sequence[str] = ()) -> str:
    """Return the report for a reader: what was found first, then what was counted."""
    return "\n".join(_lines(report, explanation))


def _lines(report: ReplayReport, explanation: Sequence[str]) -> Iterator[str]:
    if explanation:
        yield from explanation
        yield ""
    yield from _found(report)
    rate = report.hypercalls / report.seconds if report.seconds else 0.0
    yield f"{report.hypercalls:,} hypercalls in {report.seconds:.1f} s ({rate:,.0f}/s)"
    yield f"  judged          {_of(report.calls)}"
    yield f"  in multicalls   {_of(report.subcalls)}"
    yield f"  trapped writes  {_of(report.trapped)}"
    yield f"  type events     {_of(report.events)}"
    yield f"  events told     {_of(report.told)}"
    yield f"  continuations   {report.tails:,}"
    yield f"  not modelled    {_total(report.not_modelled)}"
    yield f"  assumed         {_total(report.assumed)}"
    checked = report.checked
    if checked.mode != "off":
        yield (
            f"  invariants      {checked.violated:,} violated, {checked.instances:,} instances, "
            f"{checked.evaluated:,} evaluations; never exercised: {', '.join(checked.vacuous) or 'none'}"
        )
        yield (
            f"  refusals        {checked.refusals:,} of what contracts do not permit; "
            f"{checked.unasked:,} for what no contract asks"
        )
    yield from _expected(report)
    yield _verdict(report)


def _found(report: ReplayReport) -> Iterator[str]:
    for total, first, what in (
        (report.diverged.total, report.diverged.first, "answers differ"),
        (report.event_differences.total, report.event_differences.first, "type events differ"),
    ):
        if total:
            yield f"{total:,} {what}; the first {min(total, SHOWN)}:"
            yield from (f"  {one}" for one in first)
            yield ""
    if report.checked.violated:
        yield f"{report.checked.violated:,} violations; the first {len(report.checked.first)}:"
        yield from (f"  {one}" for one in report.checked.first)
        yield ""


def _of(tally: Tally) -> str:
    return f"{tally.agreed:,} of {tally.judged:,} agree"


def _total(counts: Counter[str]) -> str:
    most = ", ".join(f"{name} {count:,}" for name, count in counts.most_common(6))
    more = f", {len(counts) - 6} more kinds" if len(counts) > 6 else ""  # noqa: PLR2004 - a line's worth
    return f"{sum(counts.values()):,}{f' ({most}{more})' if most else ''}"


def _expected(report: ReplayReport) -> Iterator[str]:
    if report.expectation is None:
        return
    for name, compared in (
        ("tables", report.expectation.tables),
        ("page_info", report.expectation.page_info),
        ("m2p", report.expectation.m2p),
    ):
        yield f"  {name:15} {compared.differ:,} of {compared.compared:,} differ from the snapshot"
        yield from (f"    {example}" for example in compared.examples)


def _verdict(report: ReplayReport) -> str:
    if report.interrupted:
        return "interrupted: this is a part of the whole"
    if not report.agrees:
        return "the model and the recording DIFFER"
    return "the model agrees with the recording" if report.calls.judged else "nothing was judged"
