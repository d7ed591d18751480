"""A hostile peer: it stores whatever it likes into the shared page, and sends events as it likes."""

from xenmodel.rings.machine import RingMachine, peer_of, ring_step
from xenmodel.rings.memory import MEMORY, arrive
from xenmodel.rings.rows import Location
from xenspec.vocabulary import RingSide


@ring_step(*MEMORY, "sides.honest")
def scribble(m: RingMachine, x: RingSide, where: Location, value: int) -> None:
    """Store any value anywhere in the page, at once."""
    m.sides[x].honest = False
    arrive(m, x, where, value)


@ring_step("bells.pending")
def ring_bell(m: RingMachine, x: RingSide) -> None:
    """Send an event for nothing."""
    m.bells[peer_of(x)].pending = True
