"""The replay engine: line by line, the model answers first and the recording is looked at afterwards."""

import time
from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path

from xenmodel.abi.memory_map import MemoryMap
from xenmodel.dispatch import MulticallResult, dispatch, multicall
from xenmodel.domains.modes import come_back
from xenmodel.hypercall import SPIN, Call, Continuation, Marker, Steps, T
from xenmodel.machine import Machine
from xenmodel.memory.rows import NO_FRAME
from xenproofs.judge import trace
from xenproofs.judge.replay import others, ports, translate, trapped
from xenproofs.judge.replay.ahead import Ahead
from xenproofs.judge.replay.answers import (
    UNANSWERED,
    Answer,
    Judged,
    Stuck,
    given_up,
    named,
    predicted,
    recorded,
    refusal_of,
)
from xenproofs.judge.replay.events import judge_events
from xenproofs.judge.replay.position import Position
from xenproofs.judge.replay.preemption import Had, Preemption, inner_done, stopped_in, unpins
from xenproofs.judge.replay.report import Difference, ReplayReport
from xenproofs.judge.replay.stores import GuestStores
from xenproofs.judge.replay.unseen import Unseen
from xenproofs.judge.trace import Hypercall, Line, Pending, PortPending, TrappedWrite
from xenspec.vocabulary import DomId, PageType, VcpuId

STORY = 4
"""Lines that a report shows before the one that differs."""
PACE = 512
"""Lines from one notice of progress to the next."""


@dataclass(slots=True)
class Replay:
    """One replay: a machine, and everything found so far."""

    machine: Machine
    stores: GuestStores
    memory: MemoryMap
    report: ReplayReport = field(default_factory=ReplayReport)
    position: Position = field(default_factory=Position)
    unseen: Unseen = field(default_factory=Unseen)
    before_line: Callable[[Line], None] | None = None
    """Called before every line."""
    before_call: Callable[[Call], None] | None = None
    """Called before every call and trapped write."""
    after_call: Callable[[Hypercall | TrappedWrite], None] | None = None
    """Called after every line that the model ran."""
    observe_step: Callable[[object], None] | None = None
    """Called with every step that has run."""
    on_progress: Callable[[int], None] | None = None
    """Called now and then with the number of the hypercall that was played last."""
    continued: dict[int, tuple[str, str]] = field(default_factory=dict[int, tuple[str, str]])
    """By vCPU: the call that is to re-enter, and its arguments as text."""
    recent: deque[Line] = field(default_factory=lambda: deque[Line](maxlen=STORY))
    last_vcpu: int = 0
    file: str = ""
    now: Line | None = None
    """The line that is being played."""
    stop: bool = False
    """Set from outside: end before the next line."""
    broken: bool = False
    """The model gave up in the middle of a call: what follows would say nothing."""

    def play(self, path: Path, lines: Iterable[Line], until: int | None = None) -> bool:
        """Play a recording's lines, up to hypercall `until`; return whether all of them were played."""
        self.file = str(path)
        started = time.perf_counter()
        ahead = Ahead(lines)
        position = self.position
        try:
            for line in ahead:
                if self.before_line is not None:
                    self.before_line(line)
                if self.stop or self.broken or (until is not None and line.n > until):
                    return False
                self._line(line, ahead)
                position.line, position.n = line.line, line.n
            return True
        finally:
            self.report.seconds += time.perf_counter() - started

    def _line(self, line: Line, ahead: Ahead) -> None:
        self.now = line
        if isinstance(line, Hypercall):
            self._hypercall(line, ahead)
            self.recent.append(line)
            if line.n > self.position.top:  # noqa: PLR1730 - max() costs as much as all else here
                self.position.top = line.n
            if self.on_progress is not None and line.n % PACE == 0:
                self.on_progress(line.n)
        elif isinstance(line, TrappedWrite):
            trapped.play(self, line)
            self.recent.append(line)
        elif isinstance(line, Pending):
            ports.judge_pending(self, line, line)

    def call_of(self, vcpu: VcpuId) -> Call:
        """Return the call that a vCPU begins to make."""
        x = Call(self.machine, vcpu, DomId(vcpu[0]), stores=self.stores.look)
        if self.before_call is not None:
            self.before_call(x)
        return x

    def _hypercall(self, line: Hypercall, ahead: Ahead) -> None:
        report = self.report
        report.hypercalls += 1
        self.last_vcpu = line.vcpu
        x = self.call_of(VcpuId((line.dom, line.vcpu)))
        if self.machine.vcpus[x.vcpu].user_mode:
            self.drive(come_back(x))
            report.assumed["entry into the guest's kernel"] += 1
        awaited = self.continued.pop(line.vcpu, None)
        wrong = self._at_entry(line) or (awaited is not None and goes_otherwise(line, awaited)) or ""
        self.stores.expect(line.events)
        try:
            judged = self._answer(x, line, ahead)
        except UNANSWERED as ending:
            self.broken = True
            judged = Judged(recorded(line), Answer(None), given_up(ending))
        if judged is None and not wrong:
            report.not_modelled[others.name(line)] += 1
            return
        if judged is None:
            judged = Judged(recorded(line), recorded(line))
        self._count(line, judged, wrong, tail=awaited is not None and awaited[0] == line.op)
        if x.events or line.events:
            self._judge_events(x, line)
        if self.after_call is not None:
            self.after_call(line)

    def _judge_events(self, x: Call, line: Hypercall) -> None:
        self.noticed(x)
        if self.stores.learnt:
            self.report.assumed["contents of a frame that Xen validates"] += self.stores.learnt
            self.stores.learnt = 0
        judge_events(self.report, line, x.events, self.file)
        for event in line.events:
            if isinstance(event, PortPending):
                ports.judge_pending(self, line, event)

    def _at_entry(self, line: Hypercall) -> str:
        """Judge what is known before the call: the base pointer. Return what is wrong, else nothing."""
        v = VcpuId((line.dom, line.vcpu))
        if line.vcpu in self.unseen.vcpus:
            self.assume(self.unseen.base(self.machine, v, line.cr3))
        base = self.machine.vcpus[v].base
        if base != line.cr3:
            mine = "the model has none" if base == NO_FRAME else f"the model's {base:#x}"
            return f"at entry Xen's base pointer is {line.cr3:#x}, {mine}"
        return ""

    def assume(self, kinds: Iterable[str]) -> None:
        """Count what was assumed of the state in which the replay began, and let it be looked at."""
        before = self.report.assumed.total()
        self.report.assumed.update(kinds)
        if self.report.assumed.total() > before:
            self.stores.learnt_something()

    def _count(self, line: Hypercall, judged: Judged, wrong: str, *, tail: bool) -> None:
        """Count a call whose answer the model has predicted."""
        why = wrong or judged.why
        if self.stores.refused:
            why = why or self.stores.refused[0]
            self.stores.refused.clear()
        agrees = judged.expected == judged.got and not why
        why = why or judged.reason
        if tail:
            self.report.tails += 1
        else:
            self.report.calls.count(agrees=agrees)
        if not agrees:
            expected, got = str(judged.expected), str(judged.got)
            self.differ(line, others.name(line), expected, got, why)

    def differ(self, line: Hypercall | TrappedWrite, op: str, expected: str, got: str, why: str) -> None:
        """Note that a line's answer is not the recorded one."""
        self.report.diverged.add(Difference(line.n, op, expected, got, why, line.line, self.file))

    def noticed(self, x: Call) -> None:
        """Note which frames a call let become writable: the guest may store into them from now on."""
        for event in x.events:
            if event.kind == "settype" and event.type == PageType.WRITABLE:
                self.stores.became_writable(event.mfn)

    def _answer(self, x: Call, line: Hypercall, ahead: Ahead) -> Judged | None:
        """Let the model answer; None if it does not implement the call."""
        if isinstance(line.args, trace.Multicall):
            return self._multicall(x, line, line.args, ahead)
        if isinstance(line.args, trace.SetGdt):
            self.assume(self.unseen.gdt(self.machine, x.vcpu, line.args.frames))
        call = translate.single(line.op, line.args)
        if call is None:
            return others.answer(self, x, line)
        preemption = None
        if line.cont is not None:
            preemption = Preemption(x, line.done, Had.of(line), in_multicall=False, unpins=unpins(line.args))
            preemption.stopped_in = stopped_in(line, ahead.next_call(line.vcpu))
        result = self.drive(dispatch(x, call), preemption)
        if line.cont is not None:
            self._goes_on(line, line.cont.op, result.continuation)
        return Judged(recorded(line), predicted(result), reason=refusal_of(result))

    def _multicall(self, x: Call, line: Hypercall, args: trace.Multicall, ahead: Ahead) -> Judged:
        call = translate.multicall(args)
        preemption = None
        if line.cont is not None and line.done is not None:
            re_entry = ahead.next_call(line.vcpu)
            stopped = args.calls[line.done].args if line.done < len(args.calls) else None
            preemption = Preemption(
                x,
                line.done,
                Had.of(line),
                in_multicall=True,
                inner_done=inner_done(line, re_entry),
                unpins=unpins(stopped),
            )
            preemption.stopped_in = stopped_in(line, re_entry)
        result = self.drive(multicall(x, call), preemption)
        if line.cont is not None:
            self._goes_on(line, line.cont.op, result.continuation)
        return Judged(recorded(line), predicted(result), self._subcalls(line, args, result))

    def _goes_on(self, line: Hypercall, op: str, continuation: Continuation | None) -> None:
        """Remember what is to re-enter."""
        self.continued[line.vcpu] = op, "" if continuation is None else repr(continuation.args)

    def _subcalls(self, line: Hypercall, args: trace.Multicall, result: MulticallResult) -> str:
        """Judge the finished calls of a multicall one by one; return what differs first."""
        report = self.report
        wrong = ""
        finished = len(args.calls) if line.done is None else line.done
        for index, call in enumerate(args.calls[:finished]):
            if translate.single(call.op, call.args) is None:
                report.subcalls_not_modelled[call.op] += 1
                report.assumed["answer of a call inside a multicall"] += 1
                continue
            got = result.results[index].rc if index < len(result.results) else None
            report.subcalls.count(agrees=got == call.ret)
            if got != call.ret and not wrong:
                reason = refusal_of(result.results[index]) if got is not None else ""
                wrong = (
                    f"call {index}, {call.op}: Xen {named(call.ret)}, model {named(got)} {reason}".rstrip()
                )
        return wrong

    def _preempted(self, marker: object, preemption: Preemption | None) -> bool:
        """Answer a preemption point; a wait for another CPU would last for ever."""
        if marker is SPIN:
            raise Stuck
        preempted = preemption is not None and preemption.answer(marker)
        if preempted:
            self.report.assumed["preemption"] += 1
        return preempted

    def show(self, step: object) -> None:
        """Show the observer a step that ran by itself."""
        if self.observe_step is not None:
            self.observe_step(step)

    def drive(self, steps: Steps[T], preemption: Preemption | None = None) -> T:
        """Run steps to their end; preemption points are answered, steps are shown to the observer."""
        observe = self.observe_step
        send = steps.send
        answer: bool | None = None
        try:
            while True:
                shown = send(answer)
                answer = None
                if shown.__class__ is Marker:
                    answer = self._preempted(shown, preemption)
                elif observe is not None:
                    observe(shown)
        except StopIteration as end:
            value: T = end.value
            return value


def goes_otherwise(line: Hypercall, awaited: tuple[str, str]) -> str:
    """Return why a call is not the one that was to re-enter: nothing if it is."""
    op, args = awaited
    if line.op != op:
        return f"the vCPU was to go on with {op}"
    call = (
        translate.multicall(line.args)
        if isinstance(line.args, trace.Multicall)
        else translate.single(line.op, line.args)
    )
    if args and repr(call) != args:
        return f"the vCPU was to go on with {args}, but goes on with {call!r}"
    return ""
