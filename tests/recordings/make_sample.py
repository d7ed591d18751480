"""Draw the bundled samples from the full data: `make_sample.py FOLDER` (with `oracle` and `recordings`).

Nothing is random: each group gives its cases at even distances, and of each tag of the systematic cases one
is taken, asked by Domain0 and by the guest in turn. The same input gives the same bytes.

- `oracle_sample.jsonl.gz`: memory operations only.
- `oracle_sample_other.jsonl.gz`: event channels, grants, and cases that mix them with memory.
- `oracle_sample_grants.jsonl.gz`: grants, alone and among other operations.
- `r3_excerpt.jsonl.gz`: hypercalls 18,500 to 20,399 of the two-vCPU boot, with the start of the second one.

Cases that show a deviation of real Xen from what must hold (a page left partially validated) are left out.
"""

from __future__ import annotations

import gzip
import sys
from itertools import cycle
from pathlib import Path
from typing import TYPE_CHECKING, Final

from xenproofs.judge.trace import Case, read_cases, read_recording
from xenproofs.judge.trace.case_ports import GntCaseOp

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

HERE: Final = Path(__file__).resolve().parent
MEMORY: Final = "oracle_sample.jsonl.gz"
EXCERPT: Final = "r3_excerpt.jsonl.gz"
FIRST_N: Final = 18_500
LAST_N: Final = 20_399
GRANTS: Final = "oracle_sample_grants.jsonl.gz"
SHOWING: Final = frozenset({"ugnt30", "ugnt1022", "ugnt3848"})
"""Random cases of grants that alone show a rule."""
OTHER: Final = "oracle_sample_other.jsonl.gz"


def lines(folder: Path, name: str, wanted: Callable[[Case], bool]) -> list[tuple[Case, str]]:
    """Give the wanted cases of one file, each with its line as it stands."""
    path = folder / f"{name}.jsonl.gz"
    texts = gzip.decompress(path.read_bytes()).decode().splitlines(keepends=True)
    return [(case, texts[case.line - 1]) for case in read_cases(path) if wanted(case) and not deviates(case)]


def deviates(case: Case) -> bool:
    """Tell whether some page is left partially validated."""
    return any("t" in state.type_flags for step in case.ops for state in step.answer.st.values())


def one_a_tag(dom0: Sequence[tuple[Case, str]], guest: Sequence[tuple[Case, str]]) -> list[str]:
    """Take the first case of each tag, from the two files in turn."""
    by_tag = [{case.tag: text for case, text in reversed(group)} for group in (dom0, guest)]
    tags = dict.fromkeys(case.tag for group in (dom0, guest) for case, _ in group)
    return [mine.get(tag) or other[tag] for tag, (mine, other) in zip(tags, cycle((by_tag, by_tag[::-1])))]


def evenly(group: Iterable[str], count: int) -> list[str]:
    """Take `count` at even distances."""
    texts = list(group)
    return [texts[i * len(texts) // count] for i in range(min(count, len(texts)))]


def memory_sample(folder: Path) -> list[str]:
    """Give about 1,700 cases of memory operations."""
    tagged = [lines(folder, f"{by}_sys_mem", lambda case: case.is_memory) for by in ("dom0", "guest")]
    sample = one_a_tag(*tagged)
    for name, count in (("dom0_rnd_mem", 320), ("guest_rnd_mem", 280), ("dom0_rnd_dom", 120)):
        sample += evenly((text for _, text in lines(folder, name, lambda case: case.is_memory)), count)
    return sample


def other_sample(folder: Path) -> list[str]:
    """Give 300 cases of event channels and grants."""
    sample: list[str] = []
    for by in ("dom0", "guest"):
        for name, count in (("sys_evt", 40), ("sys_gnt", 40), ("rnd_evt", 30), ("rnd_gnt", 30)):
            group = lines(folder, f"{by}_{name}", lambda _: True)
            sample += evenly((text for _, text in group), count)
    mixed = lines(folder, "dom0_rnd_dom", lambda case: not case.is_memory)
    return sample + evenly((text for _, text in mixed), 20)


def grant_sample(folder: Path) -> list[str]:
    """Give about 600 cases of grants."""
    tagged = [lines(folder, f"{by}_sys_gnt", lambda _: True) for by in ("dom0", "guest")]
    sample = one_a_tag(*tagged)
    for by in ("dom0", "guest"):
        random = lines(folder, f"{by}_rnd_gnt", lambda _: True)
        sample += evenly((text for case, text in random if case.id not in SHOWING), 120)
        sample += [text for case, text in random if case.id in SHOWING]
    mixed = lines(folder, "dom0_rnd_dom", lambda case: any(isinstance(s.ask, GntCaseOp) for s in case.ops))
    return sample + evenly((text for _, text in mixed), 60)


def excerpt(path: Path) -> list[str]:
    """Give the lines of hypercalls FIRST_N to LAST_N, with a header of their own."""
    texts = gzip.decompress(path.read_bytes()).decode().splitlines(keepends=True)
    header = texts[0].replace('"phase": "boot", "first_n": 1', f'"phase": "workload", "first_n": {FIRST_N}')
    kept = (line for line in read_recording(path) if FIRST_N <= line.n <= LAST_N)
    return [header, *(texts[line.line - 1] for line in kept)]


def packed(texts: list[str]) -> bytes:
    """Compress lines to the same bytes each time."""
    return gzip.compress("".join(texts).encode(), mtime=0)


def samples(folder: Path) -> dict[str, list[str]]:
    """Give each sample's lines by the name of its file."""
    return {
        MEMORY: memory_sample(folder / "oracle"),
        OTHER: other_sample(folder / "oracle"),
        GRANTS: grant_sample(folder / "oracle"),
        EXCERPT: excerpt(folder / "recordings" / "r3_boot.jsonl.gz"),
    }


def main() -> None:
    """Write the samples beside this file."""
    for name, texts in samples(Path(sys.argv[1])).items():
        (HERE / name).write_bytes(packed(texts))


if __name__ == "__main__":
    main()
