"""Both ABIs seen as one set of pending and masked ports (`xenspec.events.pending`), changed step by step."""

from collections.abc import Iterator
from typing import Final

from xenmodel.events.waiting import is_pending
from xenproofs.explorer.events.moves import CALL, Transition
from xenproofs.explorer.events.state import EventKeeper, Saved
from xenproofs.explorer.graph import Broken
from xenspec.events.pending import CHANGES, PendingSet
from xenspec.vocabulary import PortId, VcpuId

NAME: Final = "abi_refines_the_pending_set"
SENTENCE: Final = "Every step of either ABI changes the set of pending and masked ports as its kind may."
OF_NOTICE: Final = {
    "mark_pending": "raised",
    "mark_word": "raised",
    "clear_mask": "unmasked",
    "unmask_word": "unmasked",
}
"""Steps of a notice, which are about its port."""
OF_PORT: Final = {
    "take_port": "delivered",
    "mask": "masked",
    "quiet": "unmasked",
    "clear": "dropped",
    "close": "dropped",
    "reset_port": "dropped",
}
"""Steps that name their port."""
Sets = tuple[PendingSet, ...]


class Abstraction:
    """The abstract set of each domain, by the rows of a machine."""

    def __init__(self, keeper: EventKeeper) -> None:
        self._keeper = keeper
        self._known: dict[Saved, Sets] = {}

    def now(self, domain: int) -> PendingSet:
        """Return the set of a domain as the machine is."""
        m = self._keeper.m
        words = m.event_words if m.channels[domain].fifo else m.signals
        own = [PortId(p) for p in self._keeper.ports if p[0] == domain]
        return PendingSet(
            frozenset(p[1] for p in own if is_pending(m, p)), frozenset(p[1] for p in own if words[p].masked)
        )

    def _all(self) -> Sets:
        return self.now(0), self.now(1)

    def compared(self, before: Saved, t: Transition, after: Saved) -> Iterator[Broken]:
        """Compare the set before and after a transition; the machine is in the state after it."""
        found = self._all()
        self._keeper.restore(before)
        old = self._all()
        wanted = self._expected(old, t)
        self._keeper.restore(after)
        if found != wanted:
            yield Broken(NAME, f"{NAME} is broken by {t.name}: {SENTENCE}")

    def _expected(self, old: Sets, t: Transition) -> Sets | None:
        """Return the set that a transition is to leave; None: it may not be made here."""
        change, p = self._change(t)
        if change is None:
            return old
        try:
            new = CHANGES[change](old[p[0]], p[1])
        except ValueError:
            return None
        return (new, old[1]) if p[0] == 0 else (old[0], new)

    def _change(self, t: Transition) -> tuple[str | None, tuple[int, int]]:
        """Return the change that a transition stands for, and its port; the machine is as before it."""
        m = self._keeper.m
        if t.part == CALL and t.name in OF_NOTICE:
            notice = m.notices[t.vcpu]
            return OF_NOTICE[t.name], (notice.domain, notice.port)
        if t.name in OF_PORT:
            return OF_PORT[t.name], (t.vcpu[0], t.numbers[0])
        if t.name == "look_at_unlinked":
            return self._looked_at(t.vcpu, t.numbers[0])
        return None, (0, 0)

    def _looked_at(self, v: VcpuId, priority: int) -> tuple[str | None, tuple[int, int]]:
        """Return the delivery of a port that was unlinked, if it is pending and not masked."""
        port = self._keeper.m.taken[v, priority].port
        return "delivered" if port in self.now(v[0]).deliverable else None, (v[0], port)
