"""The world runs moves on the executable, interleaves its vCPUs, and checks after every move (or every step).

Checked are the invariants that what changed may have broken, and the laws whose recounts walk all rows.

A call may be left standing after any step; the vCPU then does nothing else until it is advanced to its end.
Where Xen would wait for another CPU, the others are advanced.
"""

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field

from xenmodel.hardware.tlb import evict, fill, store_through, switch_vcpu
from xenmodel.hypercall import SPIN, Call, Marker, Steps
from xenmodel.memory.rows import IDLE
from xenmodel.step import Refused, require
from xenproofs.judge.ghost import IllegalHolder
from xenproofs.judge.monitor import Monitor, Violation
from xenproofs.judge.tracking import store_of
from xenproofs.machines.calls import call_name, steps_of
from xenproofs.machines.domains import is_alive, victim
from xenproofs.machines.laws import broken_laws
from xenproofs.machines.moves import BOOT_L1, Move, address, extra, frame_of, vcpu_of, word_of
from xenproofs.machines.planting import unplanted
from xenproofs.machines.setup import DOMAINS, GUESTS, VCPUS_EACH, small_world
from xenproofs.machines.walking import WALKING
from xenspec.vocabulary import EAGAIN, EPERM, PAGE_SIZE, SLOTS, WRITABLE, Cpu, DomId, EntryId, Mfn, VcpuId

ASKS_ANYWAY = 7
"""Of eight fills the one that asks for write permission whatever the entry grants."""
PATIENCE = 10_000
"""Steps after which a wait is a deadlock."""


class Deadlock(AssertionError):  # noqa: N818 - what was found, not an error of the program
    """Every vCPU waits for another."""


@dataclass(slots=True)
class Standing:
    """A call in progress."""

    call: Call
    steps: Steps[str]
    name: str
    preempt: int
    points: int = 0


@dataclass(slots=True)
class World:
    """A small machine, its monitor, and the calls that stand in the middle."""

    monitor: Monitor
    standing: dict[VcpuId, Standing] = field(default_factory=dict[VcpuId, Standing])
    coverage: Counter[str] = field(default_factory=Counter[str])
    calls: int = 0
    steps: int = 0
    violations: list[Violation] = field(default_factory=list[Violation])

    @classmethod
    def new(cls, *, every_step: bool = False, domains: tuple[DomId, ...] = DOMAINS) -> "World":
        """Return the small world at its start; `every_step` checks after each step, holders included."""
        with unplanted():
            monitor = Monitor.over(small_world(domains=domains), steps=every_step)
            world = cls(monitor)
            world.violations += monitor.start()
        return world

    def play(self, move: Move) -> None:
        """Make one move and check."""
        if move.kind == "switch":
            self._hardware(self._switch, move)
        elif move.kind in ("fill", "evict", "stale_store"):
            self._hardware(self._tlb, move)
        elif move.kind in WALKING:
            walks = WALKING[move.kind]
            self._hardware(lambda one: walks(self.monitor, one), move)
        elif move.kind == "advance":
            self._advance(vcpu_of(move), 1 + move.b)
        else:
            self._start(move)
        self.violations += self.monitor.after_call(self.monitor.actor)
        self.violations += broken_laws(self.monitor.machine)

    def finish(self) -> None:
        """Run every standing call to its end, and check everything."""
        for v in list(self.standing):
            self._to_end(v)
        self.violations += self.monitor.after_call(self.monitor.actor)
        self.violations += self.monitor.check_all()
        self.violations += broken_laws(self.monitor.machine)

    def _start(self, move: Move) -> None:
        v = vcpu_of(move)
        if v in self.standing:
            self._to_end(v)
        if self.monitor.machine.waits[v].blocked:
            self.coverage["asleep × nothing"] += 1
            return
        if not is_alive(self.monitor.machine, v[0]):
            self.coverage["gone × nothing"] += 1
            return
        if move.kind == "destroy":
            self._leave(victim(move))
        self._schedule(v)
        x = Call(self.monitor.machine, v, self.monitor.machine.vcpus[v].domain)
        self.standing[v] = Standing(x, steps_of(x, move), call_name(move), move.preempt)
        self.calls += 1
        if move.pause:
            self._advance(v, move.pause)
        else:
            self._to_end(v)

    def _leave(self, domain: DomId) -> None:
        """Let every call of a domain come to its end, as Xen does before it destroys it."""
        for v in [v for v in self.standing if v[0] == domain]:
            self._to_end(v)

    def _schedule(self, v: VcpuId) -> None:
        """Let a vCPU run on some CPU: Xen leaves no hypercall in the middle to run another there."""
        m = self.monitor.machine
        running = [m.cpus[cpu].current for cpu in range(m.cpu_count)]
        if v in running:
            return
        free = next((c for c, other in enumerate(running) if other not in self.standing), None)
        if free is None:
            free = 0
            self._to_end(running[0])
        switch_vcpu(m, Cpu(free), v)
        self.violations += self.monitor.after_call(self.monitor.actor)

    def _advance(self, v: VcpuId, steps: int) -> None:
        """Run some steps of a standing call."""
        for _ in range(steps):
            if v not in self.standing or self._step(v):
                return

    def _to_end(self, v: VcpuId) -> None:
        """Run a standing call to its end; while it waits, the others run."""
        for _ in range(PATIENCE):
            if v not in self.standing:
                return
            if self._step(v):
                self._let_others_run(v)
        raise Deadlock(v)

    def _let_others_run(self, v: VcpuId) -> None:
        for other in list(self.standing):
            if other != v:
                self._step(other)

    def _step(self, v: VcpuId) -> bool:
        """Run one step; return whether the call waits for another CPU."""
        s = self.standing[v]
        self.monitor.actor = s.call.domain
        answer: bool | None = None
        try:
            shown = next(s.steps)
            while shown.__class__ is Marker and shown is not SPIN:
                s.points += 1
                answer = s.points == s.preempt
                shown = s.steps.send(answer)
        except StopIteration as end:
            del self.standing[v]
            self.violations += self._left_in_flight(v)
            self.coverage[f"{s.name} × {end.value}"] += 1
            return False
        self.steps += 1
        if self.monitor.steps:
            self.violations += self.monitor.after_step(shown)
            self.violations += broken_laws(self.monitor.machine)
        return shown is SPIN

    def _left_in_flight(self, v: VcpuId) -> list[Violation]:
        """Return what a vCPU still has in flight although its call has ended."""
        flights = store_of(self.monitor.machine.flights)
        return [
            Violation(
                "nothing_in_flight_between_calls",
                k,
                "A call that has ended holds no reference in flight.",
                (6,),
                (f"flight {k[1]} of vCPU {v}: {row.mode.name} of frame {row.frame:#x}",),
            )
            for k, row in flights.items()
            if k[0] == v and row.mode != IDLE
        ]

    def _hardware(self, act: Callable[[Move], None], move: Move) -> None:
        """Make a move of the hardware; refused, it is no move."""
        self.calls += 1
        try:
            act(move)
        except Refused:
            self.coverage[f"{move.kind} × refused"] += 1
        else:
            self.coverage[f"{move.kind} × done"] += 1

    def _switch(self, move: Move) -> None:
        """Run another vCPU on a CPU, unless the one that runs there stands in the middle of a call."""
        m = self.monitor.machine
        cpu = Cpu(move.a % m.cpu_count)
        v = VcpuId((DOMAINS[move.b % 2], move.c % VCPUS_EACH))
        running = m.cpus[cpu].current
        elsewhere = any(m.cpus[c].current == v for c in range(m.cpu_count) if c != cpu)
        free = running not in self.standing and v not in self.standing and not elsewhere
        if free and is_alive(m, v[0]):
            switch_vcpu(m, cpu, v)

    def _tlb(self, move: Move) -> None:
        """Fill, evict or use a cached translation of a CPU."""
        m = self.monitor.machine
        cpu = Cpu(move.vcpu % m.cpu_count)
        page = address(move.a) // PAGE_SIZE
        require("a guest runs there", m.cpus[cpu].current[0] in GUESTS, EAGAIN)
        if move.kind == "evict":
            evict(m, cpu, page)
        elif move.kind == "stale_store":
            domain, x = m.vcpus[m.cpus[cpu].current].domain, m.tlb[cpu, page]
            memory = not x.foreign or (m.frames[x.frame].type == WRITABLE and m.frames[x.frame].validated)
            require("the control domain flushes what it mapped of others", memory, EPERM)
            store_through(m, cpu, page, move.b % SLOTS, word_of(domain, move.c, move.d))
        else:
            self._fill(cpu, page, move)

    def _fill(self, cpu: Cpu, page: int, move: Move) -> None:
        m = self.monitor.machine
        boot_l1 = extra(move.d) % 4 > 0
        table: Mfn = frame_of(m.vcpus[m.cpus[cpu].current].domain, BOOT_L1 if boot_l1 else move.c)
        leaf = EntryId((table, move.b))
        asks_anyway = extra(move.d) == ASKS_ANYWAY
        writable = move.d % 2 == 0 and (asks_anyway or m.entries[leaf].writable)
        fill(m, cpu, page, leaf, writable=writable, user=True)


__all__ = ["Deadlock", "IllegalHolder", "Standing", "World"]
