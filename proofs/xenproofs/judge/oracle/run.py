"""Playing whole files of cases, in one process or several.

With several, each process reads every file and plays its share of the cases: reading costs a fraction of
playing, and nothing but verdicts travels.
"""

import gc
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Final

from xenproofs.judge.oracle.play import Player
from xenproofs.judge.oracle.verdict import Report
from xenproofs.judge.trace.cases import Case, read_cases

RARELY: Final = 100_000
"""New objects before the collector looks for cycles: cases leave next to none."""


def judge_files(paths: Sequence[Path], *, jobs: int = 1, check: bool = False) -> Report:
    """Play every case of the files; `check` holds the invariants after every operation.

    Raises:
        BadInput: a file cannot be read, or is not one of cases.
    """
    if jobs == 1:
        return judge_share(paths, 0, 1, check=check)
    whole = Report()
    with ProcessPoolExecutor(jobs) as workers:
        for part in [workers.submit(judge_share, paths, share, jobs, check=check) for share in range(jobs)]:
            whole.merge(part.result())
    return whole


def judge_share(paths: Sequence[Path], share: int, shares: int, *, check: bool = False) -> Report:
    """Play each case whose number, counted over all files, leaves `share` when divided by `shares`."""
    player, report = Player(check=check), Report()
    thresholds = gc.get_threshold()
    gc.set_threshold(RARELY)
    try:
        for number, (place, path, case) in enumerate(_cases(paths)):
            if number % shares == share:
                report.add(place, str(path), player.play(case))
    finally:
        gc.set_threshold(*thresholds)
    return report


def _cases(paths: Sequence[Path]) -> Iterator[tuple[int, Path, Case]]:
    """Give the cases of all files, each with the place and the path of its file."""
    return ((place, path, case) for place, path in enumerate(paths) for case in read_cases(path))
