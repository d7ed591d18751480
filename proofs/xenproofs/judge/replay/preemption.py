"""When a recorded call was preempted by time: an input, taken only where the model has a preemption point.

A continued call shows how many requests (or calls of a multicall) were finished. Between requests the point
is exact; inside a table it is the first point of the unfinished request at which the model has had every
recorded type event, in the table where the re-entry goes on. Of a recording that shows validations alone, it
is the first point at which the model has had those.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from xenmodel.hypercall import PREEMPT_BATCH, PREEMPT_CALL, PREEMPT_TABLE, Call, TypeEvent
from xenproofs.judge import trace
from xenproofs.judge.trace.recording import Hypercall


@dataclass(frozen=True, slots=True)
class Had:
    """The type events that a recorded call shows."""

    validations: int
    others: int

    @classmethod
    def of(cls, line: Hypercall) -> "Had":
        """Count them."""
        validations = sum(isinstance(e, trace.Validate) for e in line.events)
        return cls(validations, sum(isinstance(e, trace.TypeEvent) for e in line.events) - validations)

    def all_by(self, events: Sequence[TypeEvent]) -> bool:
        """Return whether the model has had as many, now."""
        if self.others:
            return len(events) == self.validations + self.others
        return sum(event.kind == "validate" for event in events) == self.validations


@dataclass(slots=True)
class Preemption:
    """Answers the preemption points of one recorded call."""

    call: Call
    done: int | None
    """Finished requests or calls of a continued call; None if it was not continued."""
    had: "Had"
    in_multicall: bool
    inner_done: int | None = None
    """Finished requests of the call inside a multicall that was itself preempted."""
    unpins: frozenset[int] = frozenset()
    """Requests that unpin: Xen counts one as finished although its table's release was preempted."""
    stopped_in: int | None = None
    """The table at which the re-entry goes on, if its events show one."""
    used: bool = False

    def answer(self, marker: object) -> bool:
        """Return whether Xen preempts here."""
        if self.done is None or self.used:
            return False
        hit = self._hit(marker)
        self.used = hit
        return hit

    def _hit(self, marker: object) -> bool:
        x = self.call
        if self.in_multicall:
            if marker is PREEMPT_CALL:
                return self.inner_done is None and x.index == self.done
            if self.inner_done is None or x.index != self.done:
                return False
            return self._hit_inside(marker, self.inner_done)
        return self._hit_inside(marker, self.done or 0)

    def _hit_inside(self, marker: object, done: int) -> bool:
        x = self.call
        if not self.had.all_by(x.events):
            return False
        if marker is PREEMPT_TABLE:
            if self.stopped_in is not None and x.table != self.stopped_in:
                return False
            return x.done == done or (x.done == done - 1 and x.done in self.unpins)
        return marker is PREEMPT_BATCH and x.done == done


def unpins(args: object) -> frozenset[int]:
    """Return which operations of a mmuext_op unpin a table."""
    if not isinstance(args, trace.MmuextOp):
        return frozenset()
    return frozenset(i for i, op in enumerate(args.ops) if op.cmd == trace.ExtCmd.UNPIN_TABLE)


def inner_done(call: Hypercall, re_entry: Hypercall | None) -> int | None:
    """Return how far the preempted call inside a multicall had come, by the size of its re-entry."""
    if not isinstance(call.args, trace.Multicall) or call.done is None or re_entry is None:
        return None
    if not isinstance(re_entry.args, trace.Multicall) or not re_entry.args.calls:
        return None
    if call.done >= len(call.args.calls):
        return None
    before, after = call.args.calls[call.done].args, re_entry.args.calls[0].args
    if isinstance(before, trace.MmuextOp) and isinstance(after, trace.MmuextOp) and after.preempted:
        return (
            len(before.ops) - len(after.ops) if after.ops or len(before.ops) - 1 in unpins(before) else None
        )
    if isinstance(before, trace.MmuUpdate) and isinstance(after, trace.MmuUpdate) and after.preempted:
        return len(before.reqs) - len(after.reqs) if after.reqs else None
    return None


def stopped_in(call: Hypercall, re_entry: Hypercall | None) -> int | None:
    """Return the innermost table that both the call and its re-entry begin to (de)validate, if any."""
    if re_entry is None or call.cont is None:
        return None
    begun = {(e.ev, e.mfn) for e in call.events if isinstance(e, trace.Validate | trace.Devalidate)}
    found = None
    for event in re_entry.events:
        if not isinstance(event, trace.TypeEvent) or (event.ev, event.mfn) not in begun:
            break
        found = event.mfn
    return found
