"""The end of a domain as a move: the control domain destroys another, whatever is granted or mapped by then.

Xen waits until no vCPU of it is in a hypercall (domain_pause); from then on it runs no more. What is left of
it, frames that others still map, goes when these let go.
"""

from typing import Final

from xenmodel.domains.lifecycle import DestroyDomain, destroy
from xenmodel.hypercall import Call, Steps
from xenmodel.machine import View
from xenproofs.machines.moves import Move
from xenproofs.machines.setup import GUESTS, XENS, estate
from xenspec.vocabulary import DomId, Errno

KINDS: Final = ("destroy",)
NAME: Final = "domctl:destroydomain"
NO_SUCH_DOMAIN: Final = DomId(5)
FRAMES: Final = tuple(f for d in GUESTS for f in (*estate(d).tables, *estate(d).spare, XENS[d]))
"""All frames that a domain may have, those of others that were handed over included."""
RARE: Final = 8
"""Of so many numbers one names no domain to destroy, or the caller."""


def victim(move: Move) -> DomId:
    """Return the domain that a move is to destroy: the second or third, now and then none or the first."""
    number: int = move.b % RARE
    if number < 2:  # noqa: PLR2004 - the first two
        return (GUESTS[0], NO_SUCH_DOMAIN)[number]
    return GUESTS[1 + move.a % 2]


def is_alive(m: View, domain: int) -> bool:
    """Return whether a domain runs."""
    row = m.domains[domain]
    return row.exists and not row.dying and not row.crashed


def steps_of(x: Call, move: Move) -> Steps[str]:
    """Return the steps of a destruction; a preempted one is made again."""
    call = DestroyDomain(victim(move), lambda _: FRAMES)
    result = yield from destroy(x, call)
    while result.continuation is not None:
        yield re_entry
        result = yield from destroy(x, call)
    return "ok" if result.rc == 0 else Errno(-result.rc).name


def re_entry() -> None:
    """Stands for the caller's re-entry: other vCPUs may run before it."""
