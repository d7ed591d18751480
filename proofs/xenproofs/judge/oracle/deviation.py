"""Where real Xen deviates from what must hold, known by its signature and never imitated.

D1 (the oracle's rules): a promotion that fails deep inside leaves a page `lN` with count 1 and flag `t`, or
with one general reference too many. Only page_info may differ, only so, and only where the call failed.
"""

import re
from collections.abc import Iterable, Mapping
from typing import Final

from xenproofs.judge.oracle.compare import Got, expected_pages
from xenproofs.judge.oracle.pages import Seen
from xenproofs.judge.trace.case_ops import CaseOp, MmuExtOp, MmuUpdateOp
from xenproofs.judge.trace.cases import Answer

D1: Final = "D1"
TABLES: Final = frozenset({"l1", "l2", "l3", "l4"})
LOST: Final = range(1, 3)
"""General references too many that go with a page left partial: its own, and perhaps the lost one."""


def d1_pages(op: CaseOp, answer: Answer, got: Got, before: Mapping[str, Seen]) -> frozenset[str]:
    """Return the pages that show D1 after an operation where page_info alone differs; none if it is not."""
    if answer.rc >= 0 or not isinstance(op, MmuUpdateOp | MmuExtOp):
        return frozenset()
    expected = expected_pages(answer)
    differing = {
        name: (expected.get(name, before[name]), got.st.get(name, before[name]))
        for name in expected.keys() | got.st.keys()
        if expected.get(name) != got.st.get(name)
    }
    if all(_is_d1(theirs, ours) for theirs, ours in differing.values()):
        return frozenset(differing)
    return frozenset()


def _is_d1(theirs: Seen, ours: Seen) -> bool:
    """Return whether real Xen's page is the model's with D1."""
    if theirs[0] in TABLES and theirs[1:3] == (1, "t"):
        return ours[1] == 0 and theirs[3] - ours[3] in LOST and theirs[4] == ours[4]
    return theirs == (*ours[:3], ours[3] + 1, ours[4])


def names_any(op: CaseOp, pages: Iterable[str]) -> bool:
    """Return whether an operation names one of these pages."""
    text = repr(op)
    return any(re.search(rf"\b{page}\b", text) for page in pages)
