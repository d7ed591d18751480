"""The replay engine: line by line, the model answers first and the recording is looked at afterwards."""

import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from xenmodel.dispatch import MulticallResult, dispatch, multicall
from xenmodel.hardware.walk import walk
from xenmodel.hypercall import Call, Marker, Result, Steps, T
from xenmodel.machine import Machine
from xenmodel.memory.trapped import trapped_write
from xenmodel.step import Refused
from xenproofs.judge import trace
from xenproofs.judge.replay import others, translate
from xenproofs.judge.replay.events import judge_events
from xenproofs.judge.replay.preemption import Preemption, inner_done, stopped_in, unpins
from xenproofs.judge.replay.report import Difference, ReplayReport
from xenproofs.judge.replay.stores import GuestStores
from xenproofs.judge.trace.recording import Hypercall, Line
from xenspec.vocabulary import DomId, VcpuId

LOOKAHEAD = 64
"""Lines kept to find the re-entry of a continued multicall."""
STORY = 4
"""Calls that a difference shows before the one that differs."""


@dataclass(slots=True)
class Replay:
    """One replay: a machine, and everything found so far."""

    machine: Machine
    stores: GuestStores
    report: ReplayReport = field(default_factory=ReplayReport)
    after_call: "Callable[[Hypercall | trace.TrappedWrite, str], None] | None" = None
    """Called after every line that the model ran, with the file's name."""
    observe_step: "Callable[[object], None] | None" = None
    continued: dict[int, str] = field(default_factory=dict)
    """By vCPU: the op that is to re-enter."""
    recent: deque[str] = field(default_factory=lambda: deque(maxlen=STORY))
    last_vcpu: int = 0
    file: str = ""

    def play(self, path: Path, lines: Iterable[Line], until: int | None = None) -> None:
        """Play a recording's lines, up to hypercall `until`."""
        self.file = str(path)
        started = time.perf_counter()
        try:
            for line, later in with_lookahead(lines):
                if until is not None and line.n > until:
                    return
                self._line(line, later)
        finally:
            self.report.seconds += time.perf_counter() - started

    def _line(self, line: Line, later: "deque[Line]") -> None:
        if isinstance(line, Hypercall):
            self.report.last_n = line.n
            self._hypercall(line, later)
        elif isinstance(line, trace.TrappedWrite):
            self._trapped(line)

    def _hypercall(self, line: Hypercall, later: "deque[Line]") -> None:
        report = self.report
        report.hypercalls += 1
        self.last_vcpu = line.vcpu
        tail = self.continued.pop(line.vcpu, None) == line.op
        x = Call(self.machine, VcpuId((line.dom, line.vcpu)), DomId(line.dom), stores=self.stores.look)
        self.stores.expect(line.events)
        answer = self._answer(x, line, later)
        if answer is None:
            report.not_modelled[others.name(line)] += 1
            return
        expected, got = answer
        if line.cont is not None:
            report.continuations += 1
            self.continued[line.vcpu] = line.cont.op
        self._count(line, tail=tail, expected=expected, got=got)
        judge_events(self, line, x)
        self.recent.append(f"#{line.n} {others.name(line)}")
        if self.after_call is not None:
            self.after_call(line, self.file)

    def _count(self, line: Hypercall, *, tail: bool, expected: str, got: str) -> None:
        calls = self.report.calls
        if tail:
            self.report.tails += 1
        else:
            calls.judged += 1
        refused, self.stores.refused = self.stores.refused, []
        if expected == got and not refused:
            calls.agreed += not tail
            return
        why = refused[0] if refused else "the model answers otherwise"
        calls.differ(
            Difference(
                line.n, others.name(line), expected, got, why, line.line, self.file, tuple(self.recent)
            )
        )

    def _answer(self, x: Call, line: Hypercall, later: "deque[Line]") -> tuple[str, str] | None:
        """Return what was recorded and what the model says, as text; None if it does not implement the call."""
        if isinstance(line.args, trace.Multicall):
            return self._multicall(x, line, line.args, later)
        call = translate.single(line.args)
        if call is None:
            return others.answer(self, x, line)
        preemption = Preemption(x, line.done, type_events(line), in_multicall=False, unpins=unpins(line.args))
        preemption.stopped_in = stopped_in(line, re_entry(line, later))
        result = self.drive(dispatch(x, call), preemption)
        self.report.assumed["preemption"] += preemption.used
        return recorded(line), predicted(result)

    def _multicall(
        self, x: Call, line: Hypercall, args: trace.Multicall, later: "deque[Line]"
    ) -> tuple[str, str]:
        inner = None
        if line.done is not None:
            inner = inner_done(line, re_entry(line, later))
        call = translate.multicall(args)
        stopped = args.calls[line.done].args if line.done is not None and line.done < len(args.calls) else None
        preemption = Preemption(
            x, line.done, type_events(line), in_multicall=True, inner_done=inner, unpins=unpins(stopped)
        )
        preemption.stopped_in = stopped_in(line, re_entry(line, later))
        result = self.drive(multicall(x, call), preemption)
        self.report.assumed["preemption"] += preemption.used
        self._subcalls(line, args, result)
        cont = result.continuation
        return recorded(line), f"continued as {cont.op}, done {result.done}" if cont else "0"

    def _subcalls(self, line: Hypercall, args: trace.Multicall, result: MulticallResult) -> None:
        """Judge the finished calls of a multicall one by one."""
        subcalls = self.report.subcalls
        finished = len(args.calls) if line.done is None else line.done
        for index, call in enumerate(args.calls[:finished]):
            if translate.single(call.args) is None:
                self.report.not_modelled[f"multicall/{call.op}"] += 1
                continue
            subcalls.judged += 1
            got = result.results[index].rc if index < len(result.results) else None
            if got == call.ret:
                subcalls.agreed += 1
            else:
                name = f"multicall/{call.op}[{index}]"
                subcalls.differ(
                    Difference(line.n, name, str(call.ret), str(got), "", line.line, self.file)
                )

    def _trapped(self, line: trace.TrappedWrite) -> None:
        """Play a trapped write: the walk must lead to the recorded place, and the result be the recorded word."""
        m = self.machine
        v = VcpuId((0, self.last_vcpu))
        x = Call(m, v, m.vcpus[v].domain, stores=self.stores.look)
        self.stores.expect(())
        found = self.drive(walk(x, m.vcpus[v].base, line.va))
        table, slot = line.store_maddr >> 12, line.store_maddr % 4096 // 8
        trapped = self.report.trapped
        trapped.judged += 1
        if found is None or found.word >> 12 & ((1 << 40) - 1) != table or slot != line.va % 4096 // 8:
            got = "no such mapping"
        else:
            word = new_word(line, m.words[table, slot])
            got = self._store(x, table, slot, word)
        expected = f"{line.post & ~0x60:#x}"
        if got == expected:
            trapped.agreed += 1
        else:
            trapped.differ(Difference(line.n, "@ptwr", expected, got, "", line.line, self.file))
        self.recent.append(f"#{line.n} trapped write to {table:#x}[{slot}]")
        if self.after_call is not None:
            self.after_call(line, self.file)

    def _store(self, x: Call, table: int, slot: int, word: int) -> str:
        try:
            self.drive(trapped_write(x, table, slot, word))
        except Refused as refusal:
            return f"fault ({refusal.guard})"
        return f"{self.machine.words[table, slot] & ~0x60:#x}"

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
                    answer = preemption is not None and preemption.answer(shown)
                elif observe is not None:
                    observe(shown)
        except StopIteration as end:
            value: T = end.value
            return value


def re_entry(line: Hypercall, later: "deque[Line]") -> Hypercall | None:
    """Return the call with which a continued one goes on, if it was continued and is near."""
    if line.cont is None:
        return None
    return next((c for c in later if isinstance(c, Hypercall) and c.vcpu == line.vcpu), None)


def type_events(line: Hypercall) -> int:
    """Return how many type events a line shows."""
    return sum(isinstance(e, trace.TypeEvent) for e in line.events)


def new_word(line: trace.TrappedWrite, before: int) -> int:
    """Return the word that the guest's store makes: the whole word, or some bytes of the old one replaced."""
    if line.bytes == 8:  # noqa: PLR2004 - a word
        return line.new
    shift = line.maddr % 8 * 8
    mask = ((1 << line.bytes * 8) - 1) << shift
    return before & ~mask | line.new << shift & mask


def recorded(line: Hypercall) -> str:
    """Return a recorded answer as text."""
    if line.cont is not None:
        return f"continued as {line.cont.op}, done {line.done}"
    return str(line.ret)


def predicted(result: Result) -> str:
    """Return the model's answer as text."""
    if result.continuation is not None:
        return f"continued as {result.continuation.op}, done {result.done}"
    return str(result.rc)


def with_lookahead(lines: Iterable[Line]) -> Iterator[tuple[Line, "deque[Line]"]]:
    """Yield each line with the few that follow it."""
    source = iter(lines)
    later: deque[Line] = deque()
    for line in source:
        later.append(line)
        if len(later) > LOOKAHEAD:
            yield later.popleft(), later
    while later:
        yield later.popleft(), later
