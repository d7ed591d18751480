"""Short stories: from the moves that broke something to the fewest and plainest that still break the same.

First whole moves are dropped (halves, quarters, … single ones), then what a move needs not: its pause, its
preemption, its numbers; at last one move together with a change of another, which named what it had opened.
Every candidate is played from the start on a fresh world; the budget is a number of
candidates, shown as it is used.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass, field

from xenproofs.machines.breach import Breach, breach
from xenproofs.machines.moves import Move, changed

FEW = 10
"""Moves of a story up to which two changes at once are tried."""
FIELDS = ("pause", "preempt", "vcpu", "d", "c", "b", "a")
"""What a move may do without, plainest last."""


@dataclass(slots=True)
class Shrinker:
    """Finds a shorter story that breaks the same invariant."""

    moves: list[Move]
    target: str
    every_step: bool = False
    budget: int = 2000
    """Candidates to play at most."""
    seconds: float = 60
    """How long to go on at most."""
    used: int = 0
    progress: Callable[[int, int], None] = field(default=lambda _used, _left: None)
    """Told the candidates used so far and the length of the story."""
    shortest: Breach | None = field(default=None, init=False)
    """The breach of the shortest story, once there is one."""
    _deadline: float = field(default=0.0, init=False)

    def run(self) -> list[Move]:
        """Return the shortest story found within the budget."""
        before: list[Move] | None = None
        self._deadline = time.monotonic() + self.seconds
        while before != self.moves and not self.spent:
            before = list(self.moves)
            self._drop()
            self._simplify()
            if self.moves == before and len(self.moves) <= FEW:
                self._drop_and_follow()
        return self.moves

    @property
    def spent(self) -> bool:
        """Whether nothing of the budget is left."""
        return self.used >= self.budget or time.monotonic() > self._deadline

    def _try(self, candidate: list[Move]) -> bool:
        if self.spent:
            return False
        self.used += 1
        self.progress(self.used, len(self.moves))
        found = breach(candidate, every_step=self.every_step)
        if found is None or found.name != self.target:
            return False
        self.moves = candidate
        self.shortest = found
        return True

    def _drop(self) -> None:
        size = max(1, len(self.moves) // 2)
        while size:
            start = 0
            while start < len(self.moves):
                if not self._try(self.moves[:start] + self.moves[start + size :]):
                    start += size
            size //= 2

    def _drop_and_follow(self) -> None:
        """Drop a move that opens a port; let later moves name the port before theirs, all or one of them."""
        for index in range(len(self.moves)):
            left = [*self.moves[:index], *self.moves[index + 1 :]]
            naming = [later for later in range(index, len(left)) if left[later].b]
            for those in (naming, *([one] for one in naming)):
                if self._try([_lowered(move) if n in those else move for n, move in enumerate(left)]):
                    return

    def _simplify(self) -> None:
        for index in range(len(self.moves)):
            for name in FIELDS:
                self._lower(index, name)

    def _lower(self, index: int, name: str) -> None:
        """Make one number of one move zero, or else smaller."""
        value: int = getattr(self.moves[index], name)
        for smaller in (0, value // 2, value - 1):
            if not 0 <= smaller < value:
                continue
            simpler = changed(self.moves[index], name, smaller)
            if self._try([*self.moves[:index], simpler, *self.moves[index + 1 :]]):
                return


def _lowered(move: Move) -> Move:
    """Return a move that names the port before its own."""
    return changed(move, "b", move.b - 1)
