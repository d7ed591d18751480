"""A step is what one lock region or one atomic read-modify-write of Xen does, no more.

Rules of every step in this package:

1. guards first (`require`), then effects (assignments), then the result; a refusal changes nothing;
2. no loops, O(1) rows, no bit arithmetic (the `abi` package decodes words);
3. it declares what it writes, as `table.field` names; a test and the step-by-step check compare;
4. a hypercall calls steps through a read-only `View`; `step` is the one place where a View is a Machine.

A hypercall is a generator that yields after every step (the step itself, so that an observer can name it).
"""

from collections.abc import Callable
from typing import TYPE_CHECKING, Concatenate, ParamSpec, Protocol, TypeVar
from weakref import WeakSet

from xenspec.vocabulary import Errno

if TYPE_CHECKING:
    from xenmodel.machine import Machine, View

P = ParamSpec("P")
R = TypeVar("R")


class Refused(Exception):  # noqa: N818 - a refusal is an outcome, not an error
    """A guard did not hold: the step has changed nothing.

    `guard` is the guard's name as `require` was given it, `errno` what Xen answers (positive).
    """

    def __init__(self, guard: str, errno: Errno) -> None:
        super().__init__(guard, errno)
        self.guard = guard
        self.errno = errno


class Watcher(Protocol):
    """Who is told of refusals."""

    def refused(self, refusal: Refused, /) -> None:
        """Look at a refusal that is about to be raised."""
        ...


WATCHERS: WeakSet[Watcher] = WeakSet()
"""All who are told, for as long as they live; to watch costs nothing where nothing is refused."""


def require(guard: str, condition: bool, errno: Errno) -> None:
    """Refuse the step unless the condition holds."""
    if not condition:
        refusal = Refused(guard, errno)
        for watcher in WATCHERS:
            watcher.refused(refusal)
        raise refusal


WRITES: dict[str, tuple[str, ...]] = {}
"""Declared writes by step name, filled by `step` at import: ("frames.type_count", …)."""
STEPS: dict[str, Callable[..., object]] = {}
"""Every step by name, filled at import."""


def step(
    *writes: str,
) -> "Callable[[Callable[Concatenate[Machine, P], R]], Callable[Concatenate[View, P], R]]":
    """Register a step with the cells that it may write, and let hypercalls call it on their View."""

    def register(function: "Callable[Concatenate[Machine, P], R]") -> "Callable[Concatenate[View, P], R]":
        name = function.__name__
        if name in STEPS:
            raise ValueError(name)
        STEPS[name] = function
        WRITES[name] = writes
        return function  # type: ignore[return-value]  # the one place where a View is known to be a Machine

    return register
