"""What one side says to a hypercall, and the two sides next to each other."""

from typing import NamedTuple

from xenmodel.dispatch import MulticallResult
from xenmodel.hypercall import Preempted, Result
from xenmodel.step import Refused
from xenproofs.judge.trace import Hypercall
from xenspec.vocabulary import Errno


class Answer(NamedTuple):
    """A return code (None for a call that gives none), or that Xen goes on in another call."""

    rc: int | None
    continued: str | None = None
    """The call that goes on."""
    done: int | None = None
    """How much of the work is finished, where the answer says so."""

    def __str__(self) -> str:
        """As a report shows it."""
        done = "" if self.done is None else f", done {self.done}"
        if self.continued is not None:
            return f"continues as {self.continued}{done}"
        return f"{named(self.rc)}{done}"


class Judged(NamedTuple):
    """Both answers to one call, and what else is wrong with it."""

    expected: Answer
    got: Answer
    why: str = ""
    """What differs beside the answers; empty where nothing does."""
    reason: str = ""
    """Why the model answers as it does, if it says so."""


class Stuck(Exception):  # noqa: N818 - an outcome of the model, not an error of the program
    """The model waits for another CPU, and there is none to wait for."""


UNANSWERED = (Refused, Preempted, Stuck)
"""How a call may end that should have had an answer."""


def given_up(ending: Exception) -> str:
    """Return why the model has no answer."""
    if isinstance(ending, Refused):
        return f"the model gives up in the middle, by the guard {ending.guard!r}"
    if isinstance(ending, Stuck):
        return "the model gives up in the middle: it waits for another CPU"
    return "the model gives up in the middle: preempted where Xen is not"


def named(rc: int | None) -> str:
    """Return a return code as text, an errno with its name."""
    if rc is None:
        return "gives no code"
    return f"{rc} ({Errno(-rc).name})" if -rc in ERRNOS else str(rc)


ERRNOS = frozenset(int(errno) for errno in Errno)


def refusal_of(result: Result) -> str:
    """Return why the model refuses, if it does."""
    return f"refused by the guard {result.guard!r}" if result.guard else ""


def recorded(line: Hypercall) -> Answer:
    """Return what Xen answered."""
    if line.cont is not None:
        return Answer(None, line.cont.op, line.done)
    return Answer(line.ret)


def predicted(result: Result | MulticallResult) -> Answer:
    """Return what the model answers."""
    if result.continuation is not None:
        return Answer(None, result.continuation.op, result.done)
    if isinstance(result, MulticallResult):
        return Answer(0)
    return Answer(result.rc if result.answers else None)
