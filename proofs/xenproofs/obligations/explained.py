"""Why a statement may be dropped and no state is shown that breaks: what the mutant run's table adds.

Each has been looked at. What a solver shows to be redundant has the invariants or guards beside it that make
it so; of the others it is said what the specification leaves open, or what bounds the search for a state.
"""

from __future__ import annotations

from typing import Final

EXPLAINED: Final[dict[tuple[str, str], str]] = {}
"""By step and the first line of the statement that is dropped."""
