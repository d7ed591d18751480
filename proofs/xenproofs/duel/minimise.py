"""Delta debugging for a judge that is asked in batches.

The usual search (remove half of the items, then quarters, …) asks one question at a time. Real Xen answers a
thousand questions as quickly as three, so here every way to remove a chunk is one batch, and the first that
still disagrees is taken. The budget counts questions, and is shared by all searches of one disagreement.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeVar

T = TypeVar("T")


@dataclass(slots=True)
class Budget:
    """How many questions may still be asked."""

    left: int

    def take(self, wanted: int) -> int:
        """Take up to `wanted`; return how many there were."""
        taken = min(wanted, self.left)
        self.left -= taken
        return taken


def minimise(
    items: Sequence[T],
    first_that_shows: Callable[[Sequence[Sequence[T]]], int | None],
    budget: Budget,
    *,
    least: int = 0,
) -> list[T]:
    """Return a shorter list that still shows what `items` shows; no item of it can be left out.

    That is so unless the budget ran out: then it is as short as was found until then.

    Args:
        items: what shows it now.
        first_that_shows: given candidates, returns the index of the first that shows it, or None.
        budget: how many candidates may be asked.
        least: items that must remain at least.
    """
    kept = list(items)
    chunk = max(1, len(kept) // 2)
    while len(kept) > least:
        candidates = _without_chunks(kept, chunk, least)
        candidates = candidates[: budget.take(len(candidates))]
        found = first_that_shows(candidates) if candidates else None
        if found is not None:
            kept = candidates[found]
            chunk = max(1, min(chunk, len(kept) // 2))
        elif chunk == 1 or not budget.left:
            break
        else:
            chunk = max(1, chunk // 2)
    return kept


def _without_chunks(items: list[T], chunk: int, least: int) -> list[list[T]]:
    """Return the list without each of its chunks in turn, the last one first."""
    starts = range(0, len(items), chunk)
    shorter = [items[:start] + items[start + chunk :] for start in reversed(starts)]
    return [candidate for candidate in shorter if len(candidate) >= least]
