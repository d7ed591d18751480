"""The 2-level ABI: how a port becomes pending and is selected, in words that the guest may change meanwhile.

Public interface: struct shared_info, struct vcpu_info (public/xen.h).
"""

from xenspec.contract import Cells, Contract
from xenspec.events.books import NOBODY, Stage, State
from xenspec.events.contracts.notices import OfNotice, of, rest, told
from xenspec.events.invariants import WORD_PORTS
from xenspec.logic import Not, implies, ite
from xenspec.vocabulary import PortId, SelectorId

MARK: Contract[State, OfNotice] = Contract("set a pending bit")
LOOK: Contract[State, OfNotice] = Contract("look at a mask bit")
CLEAR_MASK: Contract[State, OfNotice] = Contract("clear a mask bit")
TEST: Contract[State, OfNotice] = Contract("look at a pending bit")
SELECT: Contract[State, OfNotice] = Contract("set a selector bit")
PAY: Contract[State, OfNotice] = Contract("have told what was owed to a joined port")


def port_of(s: State, a: OfNotice) -> PortId:
    """Return the port that a notice is of."""
    return of(s.notices[a.n])


@MARK.does(property=(23, 24))
def the_port_is_pending(before: State, after: State, a: OfNotice) -> bool:
    """The port is pending; who finds that it was already leaves the rest to who made it so."""
    p, notice = port_of(before, a), after.notices[a.n]
    already = before.signals[p].pending
    then = ite(already, Stage.END, Stage.LOOK)
    return after.signals[p].pending & (notice.stage == then) & implies(Not(already), lambda: notice.news)


@MARK.touches
def _mark(s: State, a: OfNotice) -> tuple[Cells, ...]:
    p = port_of(s, a)
    new = Not(s.signals[p].pending)
    return (
        Cells("signals", p, ("pending", "teller", "announcer"), when=new),
        Cells("notices", a.n, ("news",), when=new),
    )


@PAY.does(property=24)
def nothing_is_owed_any_more(before: State, after: State, a: OfNotice) -> bool:
    """Who joined the port and was to make it pending has done so."""
    p = port_of(before, a)
    return after.ports[p].owed == ite(before.ports[p].owed == a.n, NOBODY, before.ports[p].owed)


@PAY.touches
def _pay(s: State, a: OfNotice) -> tuple[Cells, ...]:
    p = port_of(s, a)
    return (Cells("ports", p, ("owed",), when=s.ports[p].owed == a.n),)


@LOOK.does(property=24)
def a_masked_port_is_told_later(before: State, after: State, a: OfNotice) -> bool:
    """A masked port is not selected now; any other is."""
    masked, notice = before.signals[port_of(before, a)].masked, before.notices[a.n]
    return after.notices[a.n].stage == ite(masked, rest(notice), Stage.SELECT)


@CLEAR_MASK.does(property=24)
def the_port_is_not_masked(before: State, after: State, a: OfNotice) -> bool:
    """The mask is clear; only who finds it set looks whether the port is pending."""
    p = port_of(before, a)
    then = ite(before.signals[p].masked, Stage.TEST, Stage.END)
    return Not(after.signals[p].masked) & (after.notices[a.n].stage == then)


@CLEAR_MASK.touches
def _clear_mask(s: State, a: OfNotice) -> tuple[Cells, ...]:
    p = port_of(s, a)
    return (Cells("signals", p, ("masked", "teller"), when=s.signals[p].masked),)


@TEST.does(property=24)
def what_became_pending_meanwhile_is_told(before: State, after: State, a: OfNotice) -> bool:
    """A port that is pending as its mask is cleared is selected; any other needs nothing."""
    pending = before.signals[port_of(before, a)].pending
    return after.notices[a.n].stage == ite(pending, Stage.SELECT, Stage.END)


def _selector(s: State, a: OfNotice) -> SelectorId:
    """Return the selector bit of the port's word, of the vCPU that is told."""
    return SelectorId((told(s, a), s.notices[a.n].port // WORD_PORTS))


@SELECT.does(property=24)
def the_word_is_selected(before: State, after: State, a: OfNotice) -> bool:
    """The selector bit is set; who finds it clear raises an upcall, else that is left to who set it."""
    k, notice = _selector(before, a), before.notices[a.n]
    then = ite(before.selectors[k].set, rest(notice), Stage.UPCALL)
    return after.selectors[k].set & (after.notices[a.n].stage == then)


@SELECT.touches
def _select(s: State, a: OfNotice) -> tuple[Cells, ...]:
    k = _selector(s, a)
    return (
        Cells("selectors", k, ("set", "teller"), when=Not(s.selectors[k].set)),
        Cells("signals", port_of(s, a), ("raised",)),
    )
