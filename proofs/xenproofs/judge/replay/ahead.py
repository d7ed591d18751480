"""A recording's lines in order, with a look at the few that follow."""

from collections import deque
from collections.abc import Iterable, Iterator

from xenproofs.judge.trace import Hypercall, Line

REACH = 64
"""Lines to look ahead at most: the re-entry of a continued call comes soon."""


class Ahead:
    """Lines, read as they are asked for."""

    def __init__(self, lines: Iterable[Line]) -> None:
        self._source = iter(lines)
        self._later: deque[Line] = deque()

    def __iter__(self) -> Iterator[Line]:
        later = self._later
        while True:
            if later:
                yield later.popleft()
                continue
            line = next(self._source, None)
            if line is None:
                return
            yield line

    def next_call(self, vcpu: int) -> Hypercall | None:
        """Return the next hypercall of a vCPU, if it is near; it stays to be read."""
        for line in self._later:
            if isinstance(line, Hypercall) and line.vcpu == vcpu:
                return line
        while len(self._later) < REACH:
            follows = next(self._source, None)
            if follows is None:
                return None
            self._later.append(follows)
            if isinstance(follows, Hypercall) and follows.vcpu == vcpu:
                return follows
        return None
