"""Invariants held against a replay: after every call, or after every step.

The monitor takes the machine over; from then on it is the monitor's recording machine that is played. What
the guest stored by itself (learnt when Xen validates a frame) is no step, and is looked at as such.
"""

from enum import Enum
from typing import Final

from xenmodel.hypercall import Call
from xenproofs.judge.monitor import Monitor, Violation
from xenproofs.judge.replay.engine import Replay
from xenproofs.judge.replay.report import Breach
from xenproofs.judge.trace import Hypercall, Line, TrappedWrite
from xenproofs.judge.trace.words import is_list
from xenspec.vocabulary import DomId


class Check(Enum):
    """When invariants are evaluated."""

    OFF = "off"
    CALL = "call"
    STEP = "step"


DOMAIN0: Final = DomId(0)
"""The domain whose stores are trapped: no recording has another."""


class Checking:
    """The monitor of one replay."""

    def __init__(self, replay: Replay, check: Check) -> None:
        steps = check is Check.STEP
        self.replay = replay
        self.monitor = Monitor.over(replay.machine, steps=steps, sequential=True)
        replay.report.checked.mode = check.value
        replay.machine = replay.stores.machine = self.monitor.machine
        replay.stores.words = self.monitor.recorder.words
        replay.after_call = self._after_call
        if steps:
            replay.before_call = self._before_call
            replay.observe_step = self._after_step
            replay.stores.learns = self._guest_stored
        self._note(self.monitor.start(), "at the start")

    def _before_call(self, x: Call) -> None:
        self.monitor.begin_call(x.domain)

    def _after_step(self, shown: object) -> None:
        self._note(self.monitor.after_step(shown), f"after the step {getattr(shown, '__name__', shown)}")

    def _guest_stored(self) -> None:
        self._note(self.monitor.after(self.monitor.recorder.drain()), "after the guest's own stores")

    def _after_call(self, line: Hypercall | TrappedWrite) -> None:
        if self.monitor.steps:
            self._note(self.monitor.after_step(None), "between steps")
        else:
            domain = line.dom if isinstance(line, Hypercall) else DOMAIN0
            self._note(self.monitor.after_call(domain), "after the call")

    def _note(self, violations: list[Violation], when: str) -> None:
        for violation in violations:
            self.replay.report.checked.add(breach(violation, when, self.replay.now, self.replay.file))

    def finish(self) -> None:
        """Write into the report how much was evaluated."""
        checked = self.replay.report.checked
        counted = self.monitor.counts()
        checked.instances, checked.evaluated = counted.instances, counted.evaluated
        checked.vacuous = self.monitor.vacuous()
        checked.refusals, checked.unasked = counted.refusals, counted.unasked


def key_text(key: object) -> str:
    """Return a key as text; numbers of more than one digit, which are mostly frames, in hexadecimal."""
    if is_list(key):
        return f"({', '.join(key_text(part) for part in key)})"
    return f"{key:#x}" if isinstance(key, int) and key > 9 else str(key)  # noqa: PLR2004 - a digit


def breach(violation: Violation, when: str, now: Line | None, file: str) -> Breach:
    """Return a violation with its place in the recording; `now` is None before the first line."""
    return Breach(
        name=violation.name,
        key=key_text(violation.key),
        sentence=violation.sentence,
        detail=violation.detail,
        when=when,
        n=0 if now is None else now.n,
        op=now.op if isinstance(now, Hypercall) else "" if now is None else "a trapped write",
        line=0 if now is None else now.line,
        file=file,
    )
