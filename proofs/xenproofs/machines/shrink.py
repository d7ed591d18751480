"""Short stories: from the moves that broke something to the fewest and plainest that still break the same.

First whole moves are dropped (halves, quarters, … single ones), then what a move needs not: its pause, its
preemption, its numbers. Every candidate is played from the start on a fresh world; the budget is a number of
candidates, shown as it is used.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from xenproofs.judge.ghost import IllegalHolder
from xenproofs.machines.moves import Move
from xenproofs.machines.world import Deadlock, World

FIELDS = ("pause", "preempt", "d", "c", "b", "a")
"""What a move may do without, plainest last."""


@dataclass(frozen=True, slots=True)
class Breach:
    """What went wrong: the invariant (or rule) and the text of its violation."""

    name: str
    text: str


def breach(moves: Sequence[Move], *, every_step: bool = False) -> Breach | None:
    """Play moves on a fresh world; return the first thing that goes wrong, if anything does."""
    world = World.new(every_step=every_step)
    try:
        for move in moves:
            world.play(move)
            if world.violations:
                break
        else:
            world.finish()
    except IllegalHolder as found:
        return Breach("illegal holder", str(found))
    except Deadlock as found:
        return Breach("deadlock", str(found))
    if world.violations:
        first = world.violations[0]
        return Breach(first.name, str(first))
    return None


def with_number(move: Move, name: str, value: int) -> Move:
    """Return the move with one of its numbers changed."""
    numbers: dict[str, int] = {each: getattr(move, each) for each in FIELDS}
    numbers[name] = value
    return Move(move.kind, move.vcpu, **numbers)


@dataclass(slots=True)
class Shrinker:
    """Finds a shorter story that breaks the same invariant."""

    moves: list[Move]
    target: str
    every_step: bool = False
    budget: int = 2000
    used: int = 0
    progress: Callable[[int, int], None] = field(default=lambda _used, _left: None)
    """Told the candidates used so far and the length of the story."""

    def run(self) -> list[Move]:
        """Return the shortest story found within the budget."""
        before: list[Move] | None = None
        while before != self.moves and self.used < self.budget:
            before = list(self.moves)
            self._drop()
            self._simplify()
        return self.moves

    def _try(self, candidate: list[Move]) -> bool:
        if self.used >= self.budget:
            return False
        self.used += 1
        self.progress(self.used, len(self.moves))
        found = breach(candidate, every_step=self.every_step)
        if found is None or found.name != self.target:
            return False
        self.moves = candidate
        return True

    def _drop(self) -> None:
        size = max(1, len(self.moves) // 2)
        while size:
            start = 0
            while start < len(self.moves):
                if not self._try(self.moves[:start] + self.moves[start + size :]):
                    start += size
            size //= 2

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
            changed = with_number(self.moves[index], name, smaller)
            if self._try([*self.moves[:index], changed, *self.moves[index + 1 :]]):
                return
