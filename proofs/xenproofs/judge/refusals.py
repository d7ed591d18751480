"""The converse of contracts at run time: what a step is refused, its contract did not permit.

`require` tells whoever watches of each refusal before it raises it (`xenmodel.step.WATCHERS`). A step that
is refused has changed nothing, so that the state before it is the state as it is; its arguments are read
from its frame. Where every permission of its contract holds, some guard was too strong. Guards that no
contract asks for are those of the proof (`xenproofs.obligations.refusing`); they are counted apart.
"""

import inspect
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from xenmodel.step import STEPS, WATCHERS, Refused
from xenproofs.judge.actions import ACTIONS, ANY_SLOT
from xenproofs.judge.adapter import described
from xenproofs.judge.contracts import Breach, Moment
from xenproofs.judge.recording import Recorder
from xenproofs.obligations.refusing import NOT_REFUSED, SENTENCE, is_asked

if TYPE_CHECKING:
    from types import FrameType

DEEPEST: Final = 8
"""Calls between a step and a guard inside what it calls, and some more."""


@dataclass(slots=True, weakref_slot=True, eq=False)
class Refusals:
    """What became of the refusals of steps on one machine."""

    recorder: Recorder
    found: list[Breach] = field(default_factory=list[Breach])
    checked: int = 0
    unasked: int = 0
    """Refusals for what no contract asks, of which nothing is said."""

    def watch(self) -> None:
        """Have `require` tell of refusals from now on, for as long as this lives."""
        WATCHERS.add(self)

    def taken(self) -> list[Breach]:
        """Return the refusals of what was permitted, once."""
        found, self.found = self.found, []
        return found

    def refused(self, refusal: Refused) -> None:
        """Check a refusal that is about to be raised, if it is of a step on this machine."""
        frame = self._step()
        if frame is None:
            return
        name = frame.f_code.co_name
        describe = ACTIONS.get(name)
        if describe is None or not is_asked(name, refusal.guard):
            self.unasked += 1
            return
        self.checked += 1
        given = {parameter: frame.f_locals[parameter] for parameter in _parameters(frame)} | {ANY_SLOT: 0}
        before = Moment(self.recorder, {})
        actions = described(describe, before, given)
        if all(asked.function(before) for action in actions for asked in action.permissions):
            self.found.append(
                Breach(NOT_REFUSED, name, SENTENCE, (10, 16), (f"refused: {refusal.guard}", f"given {given}"))
            )

    def _step(self) -> "FrameType | None":
        """Return the frame of the step that is being run on this machine, the nearest one."""
        frame = inspect.currentframe()
        for _ in range(DEEPEST):
            frame = None if frame is None else frame.f_back
            if frame is None:
                return None
            step = STEPS.get(frame.f_code.co_name)
            if step is not None and frame.f_globals.get("__name__") == step.__module__:
                return frame if frame.f_locals[_parameters(frame)[0]] is self.recorder.machine else None
        return None


def _parameters(frame: "FrameType") -> tuple[str, ...]:
    """Return the names of a function's parameters; no step writes to one (a test sees to that)."""
    code = frame.f_code
    return code.co_varnames[: code.co_argcount + code.co_kwonlyargcount]
