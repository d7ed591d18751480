"""Switching a rule of the model off: the tools with which the tables of rules are written.

An `Off` changes the one function, constant or guard that implements a rule, for the length of a test,
wherever the model has imported it. Where that is no longer there it fails: then the table is to follow.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass
from importlib import import_module
from typing import TYPE_CHECKING, Final, TypeAlias, TypeGuard

from xenmodel.abi.descriptor import Descriptors
from xenmodel.abi.geometry import FourLevel
from xenmodel.step import Refused, require

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterator
    from types import ModuleType

    import pytest

    from xenspec.vocabulary import Errno

Off: TypeAlias = "Callable[[pytest.MonkeyPatch], None]"
Steps: TypeAlias = "Generator[object, bool | None, object]"
Silent: TypeAlias = "Generator[object, bool | None, None]"
"""The same without an answer."""
Sequence: TypeAlias = "Callable[..., Steps]"
"""A part of a hypercall: what yields steps."""

CALLERS: Final = ("xenmodel.", "xenproofs.judge.oracle.")


@dataclass(frozen=True, slots=True)
class Rule:
    """A rule of real Xen by the name of its place in the oracle's reports, and how to switch it off."""

    name: str
    off: Off


def modules() -> Iterator[ModuleType]:
    """Give every module of the model that is loaded, and those that call it for the oracle."""
    return (module for name, module in list(sys.modules.items()) if name.startswith(CALLERS))


def is_table(value: object) -> TypeGuard[dict[object, object]]:
    """Tell whether a constant of a module is a table."""
    return isinstance(value, dict)


def put(patch: pytest.MonkeyPatch, old: object, new: object) -> None:
    """Put `new` in place of `old` in every module of the model, and in their tables."""
    places = [(module, name) for module in modules() for name, at in vars(module).items() if at is old]
    tables = [
        (table, key)
        for module in modules()
        for table in vars(module).values()
        if is_table(table)
        for key, at in table.items()
        if at is old
    ]
    for module, name in places:
        patch.setattr(module, name, new)
    for table, key in tables:
        patch.setitem(table, key, new)


def instead(path: str, new: object) -> Off:
    """Put `new` in place of what `module.name` is."""
    module, _, name = path.rpartition(".")

    def off(patch: pytest.MonkeyPatch) -> None:
        put(patch, vars(import_module(f"xenmodel.{module}"))[name], new)

    return off


def around(path: str, make: Callable[[Sequence], Sequence]) -> Off:
    """Put `make(old)` in place of the part of a hypercall that `module.name` is."""
    module, _, name = path.rpartition(".")

    def off(patch: pytest.MonkeyPatch) -> None:
        old = vars(import_module(f"xenmodel.{module}"))[name]
        put(patch, old, make(old))

    return off


def constant(path: str, value: object) -> Off:
    """Give a constant of a module another value, there alone."""
    return lambda patch: patch.setattr(f"xenmodel.{path}", value)


def geometry(name: str, new: object) -> Off:
    """Give a function or constant of the 4-level geometry another value."""
    held = staticmethod(new) if callable(new) else new

    def off(patch: pytest.MonkeyPatch) -> None:
        assert hasattr(FourLevel, name)
        patch.setattr(FourLevel, name, held)

    return off


def descriptors(name: str, new: object) -> Off:
    """Give a function of descriptors another value."""

    def off(patch: pytest.MonkeyPatch) -> None:
        assert hasattr(Descriptors, name)
        patch.setattr(Descriptors, name, staticmethod(new) if callable(new) else new)

    return off


def without_guard(*guards: str) -> Off:
    """Let guards of these names always hold."""

    def lax(guard: str, condition: bool, errno: Errno) -> None:  # noqa: FBT001 - as require has it
        if guard not in guards:
            require(guard, condition, errno)

    return lambda patch: put(patch, require, lax)


def together(*offs: Off) -> Off:
    """Switch several off at once."""

    def off(patch: pytest.MonkeyPatch) -> None:
        for one in offs:
            one(patch)

    return off


def answering(errno: Errno | None, of: frozenset[Errno] | None = None) -> Callable[[Sequence], Sequence]:
    """Let a part of a hypercall refuse with `errno` where it refuses (`of` these); None: not at all."""

    def make(old: Sequence) -> Sequence:
        def new(*args: object, **kwargs: object) -> Steps:
            try:
                return (yield from old(*args, **kwargs))
            except Refused as refusal:
                if of is not None and refusal.errno not in of:
                    raise
                if errno is None:
                    return None
                raise Refused(refusal.guard, errno) from None

        return new

    return make


def refusing(errno: Errno) -> Callable[[Sequence], Sequence]:
    """Let a part of a hypercall always refuse."""

    def make(_old: Sequence) -> Sequence:
        def new(*_args: object, **_kwargs: object) -> Steps:
            yield from ()
            raise Refused("switched off", errno)

        return new

    return make
