"""What the steps do that change page-table entries."""

from xenproofs.judge.actions.registry import Actions, of_step
from xenspec.memory.contracts import entries as e
from xenspec.memory.contracts import words as w
from xenspec.memory.state import State
from xenspec.vocabulary import FlightId, Mfn


def link(table: Mfn, slot: int, word: int, *, backed: bool = True, linear: bool = False) -> Actions:
    """Store a word, and link it."""
    linked = e.LINK.of(e.Linked(table, slot, word, backed, linear))
    return linked, w.STORE.of(w.Stored(table, slot, word))


def next_slot(k: FlightId, table: Mfn, slot: int) -> Actions:
    """Look at the next slot of a table, and come past it."""
    return w.TAKE_SLOT.of(w.OnFlight(k, slot)), w.ADVANCE.of(w.Place(table, slot + 1))


def update(s: State, k: FlightId, ko: FlightId, slot: int) -> Actions:
    """Update a slot of a table in use: what it held goes into flight."""
    out = e.TakenOut(s.flights[k].frame, slot, ko)
    return e.UPDATE.of(e.Locked(k, slot)), e.TAKE_OUT.of(out)


def backed(k: FlightId, kn: FlightId, table: Mfn, word: int, *, linear: bool = False) -> Actions:
    """Name a frame in a table, by a reference in flight."""
    return e.NAME.of(e.Named(k, table, word)), e.BACK.of(e.Backing(kn, table, word, linear))


@of_step
def install(s: State, k: FlightId, kn: FlightId, slot: int, word: int) -> Actions:
    """Link the next slot of a table that is looked at."""
    t = s.flights[k].frame
    return *next_slot(k, t, slot), *backed(k, kn, t, word), *link(t, slot, word)


@of_step
def install_unbacked(s: State, k: FlightId, slot: int, word: int) -> Actions:
    """Link the next slot without a reference."""
    t = s.flights[k].frame
    named = e.NAME_UNBACKED.of(e.Named(k, t, word))
    return *next_slot(k, t, slot), named, *link(t, slot, word, backed=False)


@of_step
def install_linear(s: State, k: FlightId, kn: FlightId, slot: int, word: int) -> Actions:
    """Link the next slot to a table of the same level."""
    t = s.flights[k].frame
    linear = e.NAME_LINEAR.of(e.Named(k, t, word))
    named = backed(k, kn, t, word, linear=True)
    return *next_slot(k, t, slot), linear, *named, *link(t, slot, word, linear=True)


@of_step
def replace(s: State, k: FlightId, kn: FlightId, ko: FlightId, slot: int, word: int) -> Actions:
    """Link a slot of a table in use."""
    t = s.flights[k].frame
    return *update(s, k, ko, slot), *backed(k, kn, t, word), *link(t, slot, word)


@of_step
def replace_unbacked(s: State, k: FlightId, ko: FlightId, slot: int, word: int) -> Actions:
    """Link a slot of a table in use without a reference."""
    t = s.flights[k].frame
    named = e.NAME_UNBACKED.of(e.Named(k, t, word))
    return *update(s, k, ko, slot), named, *link(t, slot, word, backed=False)


@of_step
def replace_linear(s: State, k: FlightId, kn: FlightId, ko: FlightId, slot: int, word: int) -> Actions:
    """Link a slot of a table in use to a table of the same level."""
    t = s.flights[k].frame
    linear = e.NAME_LINEAR.of(e.Named(k, t, word))
    named = backed(k, kn, t, word, linear=True)
    return *update(s, k, ko, slot), linear, *named, *link(t, slot, word, linear=True)


@of_step
def empty(s: State, k: FlightId, ko: FlightId, slot: int, word: int) -> Actions:
    """Store a word that is not present into a table in use."""
    t = s.flights[k].frame
    absent = e.STORE_ABSENT.of(e.Linked(t, slot, word, backed=False, linear=False))
    unlinked = e.UNLINK.of(e.TakenOut(t, slot, ko))
    return *update(s, k, ko, slot), absent, unlinked, w.STORE.of(w.Stored(t, slot, word))


@of_step
def amend(s: State, k: FlightId, slot: int, word: int) -> Actions:
    """Change flags of an entry in place."""
    t = s.flights[k].frame
    flags = e.CHANGE_FLAGS.of(e.Linked(t, slot, word, backed=True, linear=False))
    return e.UPDATE.of(e.Locked(k, slot)), flags, w.STORE.of(w.Stored(t, slot, word))


@of_step
def release(s: State, k: FlightId, ko: FlightId, slot: int) -> Actions:
    """Unlink the highest linked slot of a table that is released."""
    t = s.flights[k].frame
    out = e.TakenOut(t, slot, ko)
    return e.TAKE_OUT.of(out), e.UNLINK.of(out), w.ADVANCE.of(w.Place(t, slot))
