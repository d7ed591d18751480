"""Calling steps in any order, by nobody in particular: arguments drawn to fit, or nearly to fit, a machine.

What a hypercall would never ask for is drawn too: a step must keep the invariants by its own guards.
"""

from __future__ import annotations

import inspect
from typing import TYPE_CHECKING, Final

from tests.memory import reached
from xenmodel import dispatch
from xenmodel.domains import vcpu_op
from xenmodel.events import frames
from xenmodel.hardware import access, segments
from xenmodel.step import STEPS
from xenproofs.judge.adapter import plain
from xenspec.vocabulary import PAGE_SIZE, Cpu, DomId, EntryId, FlightId, Mfn, Mode, PageType

if TYPE_CHECKING:
    from collections.abc import Callable
    from random import Random

    from xenmodel.machine import Machine

IMPORTED: Final = (dispatch, vcpu_op, frames, access, segments)
"""Modules whose import registers the steps."""
SUBSYSTEMS: Final = ("xenmodel.memory.", "xenmodel.hardware.", vcpu_op.__name__, frames.__name__)
NUMBERS: Final = tuple(range(6)) + tuple(range(16, 22))
SLOTS: Final = (0, 0, 1, 2, 3, 4, 272, 511, 512)
FLAGS: Final = (0x67, 0x65, 0x5, 0x7)
RAW: Final = (0, reached.HARMFUL, reached.DATA)
DEVICE: Final = 0xB8


def steps() -> dict[str, Callable[..., object]]:
    """Return the steps of memory and of the processor by name."""
    return {name: step for name, step in STEPS.items() if step.__module__.startswith(SUBSYSTEMS)}


class Drawing:
    """Arguments for one call of one step."""

    def __init__(self, rng: Random, m: Machine) -> None:
        self.rng = rng
        self.m = m
        self.pool = [f for f, _ in plain(m.frames).rows() if reached.FIRST <= f < reached.FIRST + 16]
        self.pool.append(DEVICE)
        self.drawn: dict[str, object] = {}

    def arguments(self, step: Callable[..., object]) -> tuple[list[object], dict[str, object]]:
        """Return the arguments of a step after the machine, by place and by name."""
        _, *parameters = inspect.signature(step).parameters.values()
        for p in parameters:
            self.drawn[p.name] = self._value(p.name, str(getattr(p.annotation, "__name__", p.annotation)))
        named = {p.name for p in parameters if p.kind is p.KEYWORD_ONLY}
        by_place = [value for name, value in self.drawn.items() if name not in named]
        return by_place, {name: self.drawn[name] for name in named}

    def _value(self, name: str, kind: str) -> object:
        rng = self.rng
        by_name: dict[str, Callable[[], object]] = {
            "slot": self._slot,
            "word": self._word,
            "page": lambda: reached.VA // PAGE_SIZE,
            "level": lambda: rng.choice((1, 2, 3)),
            "prefix": lambda: rng.choice([p for _, _, p in plain(self.m.prefixes)] or [0]),
            "foreign": self._foreign,
        }
        by_kind: dict[str, Callable[[], object]] = {
            "FlightId": lambda: self._flight(name),
            "Mfn": self._frame,
            "EntryId": self._entry,
            "DomId": lambda: DomId(rng.choice((0, 1, 1, 1, 2))),
            "VcpuId": lambda: reached.V,
            "Cpu": lambda: Cpu(rng.randrange(2)),
            "PageType": lambda: rng.choice(list(PageType)),
            "Mode": lambda: rng.choice(list(Mode)),
            "bool": lambda: rng.random() < 0.5,
        }
        return by_name.get(name, by_kind.get(kind, lambda: rng.randrange(3)))()

    def _foreign(self) -> bool:
        """Return whether the translation that is to be filled leads to another domain's frame."""
        cpu, prefix, slot = (self.drawn[name] for name in ("cpu", "prefix", "slot"))
        assert isinstance(cpu, int)
        assert isinstance(prefix, int)
        assert isinstance(slot, int)
        k = self.m.prefixes[cpu, 1, prefix]
        frame = self.m.frames[self.m.pte.target(self.m.words[k.table, slot])]
        return frame.ref_count > 0 and frame.owner != k.domain

    def _entry(self) -> EntryId:
        linked = [e for e, row in plain(self.m.entries).rows() if row.linked]
        return EntryId(self.rng.choice(linked or [(reached.FIRST, 0)]))

    def _flight(self, name: str) -> FlightId:
        """Return a flight, rather one that is busy for the frame at work and a new one, else an idle one."""
        busy = [k for k, row in plain(self.m.flights).rows() if row.mode != Mode.IDLE]
        if busy and name in {"k", "kn", "source"} and self.rng.random() < 0.75:
            return FlightId(self.rng.choice(busy))
        return FlightId((reached.V, self.rng.choice(NUMBERS)))

    def _frame_at_work(self) -> int | None:
        k = self.drawn.get("k")
        row = self.m.flights[k] if isinstance(k, tuple) else None
        return row.frame if row is not None and row.mode != Mode.IDLE else None

    def _frame(self) -> Mfn:
        f = self._frame_at_work()
        if f is not None and self.rng.random() < 0.4:
            return Mfn(f)
        return Mfn(self.rng.choice(self.pool))

    def _slot(self) -> int:
        f = self._frame_at_work()
        return self.rng.choice(SLOTS) if f is None or self.rng.random() < 0.4 else self.m.frames[f].next_slot

    def _word(self) -> int:
        f, slot, share = self._frame_at_work(), self.drawn.get("slot"), self.rng.random()
        if f is not None and isinstance(slot, int) and share < 0.3:
            return self.m.words[f, slot]
        if share < 0.8:
            return self.m.pte.entry(self._frame(), self.rng.choice(FLAGS))
        return self.rng.choice(RAW)
