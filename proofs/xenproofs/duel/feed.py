"""Keeps the live Xen busy: a batch is asked while the one before is judged."""

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from itertools import islice
from typing import Final, Protocol, TypeAlias

from xenproofs.judge.trace.cases import Case
from xenproofs.judge.trace.questions import Question

Answered: TypeAlias = tuple[Question, Case]
"""A question, and the case with the answers to it."""


class Respondent(Protocol):
    """Who is asked; `xenproofs.duel.live.xen.LiveXen` is the one that counts."""

    def begin(self, questions: Sequence[Question], /) -> int:
        """Start asking; return how many of the questions were taken, at least one."""
        ...

    def collect(self) -> list[Case]:
        """Wait for the answers; fewer than were taken if the last one ended the machine."""
        ...

    def ask(self, questions: Sequence[Question], /) -> list[Case]:
        """Ask all, wait for all."""
        ...


class Feed:
    """Asks a stream of questions in order, one batch ahead.

    Args:
        xen: who is asked.
        questions: what to ask.
        size: questions in a batch.
        closed: whether no further batch is to be asked; it is called before each.
    """

    def __init__(
        self, xen: Respondent, questions: Iterator[Question], size: int, closed: Callable[[], bool]
    ) -> None:
        self._xen: Final = xen
        self._questions: Final = questions
        self._size: Final = size
        self._closed: Final = closed
        self._waiting: Final[deque[Question]] = deque()
        self._sent: list[Question] = []
        self._held: list[Answered] = []

    def __iter__(self) -> Iterator[list[Answered]]:
        """Yield batches of answered questions; while one is looked at, the next is being answered."""
        self._send()
        while self._sent or self._held:
            if not self._held:
                self._collect()
            answered, self._held = self._held, []
            self._send()
            yield answered

    def pause(self) -> None:
        """Collect what is being asked, and keep it: other questions may be asked until the next batch."""
        if self._sent:
            self._collect()

    def _send(self) -> None:
        if self._closed():
            return
        self._waiting.extend(islice(self._questions, self._size - len(self._waiting)))
        if self._waiting:
            taken = self._xen.begin(list(self._waiting))
            self._sent = [self._waiting.popleft() for _ in range(taken)]

    def _collect(self) -> None:
        """Take the answers; questions that a dead machine left open are asked again later."""
        self._held = list(zip(self._sent, self._xen.collect(), strict=False))
        self._waiting.extendleft(reversed(self._sent[len(self._held) :]))
        self._sent = []
