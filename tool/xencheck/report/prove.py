"""The report of a proof run: as text and as JSON."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING

from xenproofs.obligations.contracts import has_contract
from xenproofs.obligations.outcomes import Kind
from xenproofs.obligations.running import axiom_count, invariant_count
from xenproofs.obligations.subjects import awaiting

if TYPE_CHECKING:
    from xenproofs.obligations.outcomes import Outcome
    from xenproofs.obligations.running import ProofRun

SCHEMA_VERSION = 1
SLOWEST = 10
FAILURES = 40


def _outcomes(run: ProofRun) -> list[Outcome]:
    return [o for r in run.reports for o in r.outcomes]


def _by_solver(run: ProofRun) -> dict[str, dict[str, float]]:
    found: dict[str, dict[str, float]] = defaultdict(lambda: {"proved": 0, "seconds": 0.0})
    for o in _outcomes(run):
        for name, seconds in o.solvers.items():
            found[name]["proved"] += 1
            found[name]["seconds"] = round(found[name]["seconds"] + seconds, 3)
    return dict(found)


def _without_contract(run: ProofRun) -> list[str]:
    return [r.step for r in run.reports if not r.theorems and not has_contract(r.step)]


def as_json(run: ProofRun) -> dict[str, object]:
    """Return the report as JSON's data."""
    return {
        "schema_version": SCHEMA_VERSION,
        "obligations": len(_outcomes(run)),
        "proved": run.count(Kind.PROVED),
        "violated": run.count(Kind.VIOLATED),
        "not_inductive": run.count(Kind.NOT_INDUCTIVE),
        "undecided": run.count(Kind.UNDECIDED),
        "vacuous": run.count(Kind.VACUOUS),
        "infeasible_paths": sum(r.infeasible + r.unreachable for r in run.reports),
        "trivial": sum(r.trivial for r in run.reports),
        "paths": sum(r.paths for r in run.reports),
        "refused_paths": sum(r.refusals for r in run.reports),
        "refused_for_what_no_contract_asks": sum(r.unasked for r in run.reports),
        "steps": sum(not r.theorems for r in run.reports),
        "theorems": sum(len(r.outcomes) for r in run.reports if r.theorems),
        "invariants": invariant_count(),
        "axioms": axiom_count(),
        "solvers": _by_solver(run),
        "seconds": round(run.seconds, 2),
        "cached": sum(r.cached for r in run.reports),
        "awaiting": awaiting(),
        "without_contract": _without_contract(run),
    }


def as_text(run: ProofRun, differences: list[str]) -> str:
    """Return the report for a terminal: a row a step, what is not proved, and the slowest obligations."""
    rows = [
        f"{'step':<24} {'paths':>5} {'refused':>7} {'proved':>6} {'not':>4} {'trivial':>7} {'seconds':>7}"
    ]
    for r in sorted(run.reports, key=lambda r: (r.subsystem, r.step)):
        figures = f"{r.paths:5} {r.refusals:7} {r.proved:6} {len(r.failed):4} {r.trivial:7} {r.seconds:7.1f}"
        rows.append(f"{r.step:<24} {figures}")
    failed = [o for r in run.reports for o in r.failed]
    rows += [f"  {o.kind.value}: {o.step}, path {o.path}: {o.statement}: {o.note}" for o in failed[:FAILURES]]
    if len(failed) > FAILURES:
        rows.append(f"  … and {len(failed) - FAILURES} more")
    rows += ["", "slowest:", *_slowest(run), "", *_summary(run)]
    rows += [f"  differs from what is checked in: {line}" for line in differences[:FAILURES]]
    return "\n".join(rows)


def _slowest(run: ProofRun) -> list[str]:
    timed = [(max(o.solvers.values()), o) for o in _outcomes(run) if o.solvers]
    timed.sort(key=lambda pair: -pair[0])
    return [f"  {seconds:6.2f} s  {o.step}, path {o.path}: {o.statement}" for seconds, o in timed[:SLOWEST]]


def _summary(run: ProofRun) -> list[str]:
    data = as_json(run)
    solvers = ", ".join(f"{n} {int(v['proved'])} in {v['seconds']:.1f} s" for n, v in _by_solver(run).items())
    return [
        (
            f"{data['obligations']} obligations of {data['steps']} steps, {data['invariants']} invariants: "
            f"{data['proved']} proved, {data['violated']} violated, {data['not_inductive']} not inductive, "
            f"{data['undecided']} undecided, {data['vacuous']} vacuous"
        ),
        (
            f"{data['paths']} paths; {data['infeasible_paths']} infeasible; {data['trivial']} trivial "
            f"(the invariant reads nothing that the path wrote); {data['axioms']} axioms; "
            f"{data['theorems']} of the obligations are theorems about walks"
        ),
        f"{solvers}; {data['cached']} known from earlier runs; {data['seconds']} s",
        (
            f"{data['refused_paths']} paths are refused, {data['refused_for_what_no_contract_asks']} of them "
            "for what no contract asks; the others of what is not permitted"
        ),
        f"not proved here: {len(awaiting())} steps of the model (--json: awaiting)",
        (
            f"without a contract, so that only invariants speak of what they do: "
            f"{len(_without_contract(run))} of these steps (--json: without_contract)"
        ),
    ]
