"""What the steps do that store words."""

from xenproofs.judge.actions.registry import Actions, of_step
from xenspec.logic import ite
from xenspec.memory.contracts import references as r
from xenspec.memory.contracts import words as w
from xenspec.memory.state import State
from xenspec.vocabulary import FlightId, Mfn, VcpuId


@of_step
def write_word(s: State, k: FlightId, slot: int, word: int) -> Actions:
    """Store a raw word into memory that is held."""
    return w.HOLD_MEMORY.of(r.InFlight(k)), w.STORE.of(w.Stored(s.flights[k].frame, slot, word))


@of_step
def write_descriptor(s: State, k: FlightId, slot: int, word: int) -> Actions:
    """Store an acceptable descriptor, in the form in which Xen stores it."""
    f = s.flights[k].frame
    stored = w.Stored(f, slot, s.descriptors.stored(word))
    hold = w.HOLD_DESCRIPTORS.of(r.InFlight(k))
    return hold, w.ACCEPT.of(w.Stored(f, slot, word)), w.STORE.of(stored)


@of_step
def accept_descriptor(s: State, k: FlightId, slot: int) -> Actions:
    """Look at the next descriptor of a page, and store it as Xen makes it."""
    f = s.flights[k].frame
    word = s.words[f, slot]
    return (
        w.TAKE_SLOT.of(w.OnFlight(k, slot)),
        w.ACCEPT.of(w.Stored(f, slot, word)),
        w.STORE.of(w.Stored(f, slot, s.descriptors.stored(word))),
        w.ADVANCE.of(w.Place(f, slot + 1)),
    )


@of_step
def mark_used(s: State, t: Mfn, slot: int, *, dirty: bool) -> Actions:
    """Mark an entry as used."""
    marked = w.Stored(t, slot, s.pte.marked(s.words[t, slot], dirty=dirty))
    return w.USE_ENTRY.of(w.Place(t, slot)), w.STORE.of(marked)


@of_step
def mark_descriptor(s: State, v: VcpuId, index: int, slot: int, *, local: bool) -> Actions:
    """Mark a descriptor as used."""
    f = ite(local, s.ldt[v, index].frame, s.gdt[v, index].frame)
    used = w.Stored(f, slot, s.descriptors.used(s.words[f, slot]))
    return w.LOAD.of(w.Place(f, slot)), w.STORE.of(used)


@of_step
def clear_page(s: State, k: FlightId, *, any_slot: int) -> Actions:
    """Clear memory that is held."""
    return w.HOLD_MEMORY.of(r.InFlight(k)), w.CLEAR.of(w.Place(s.flights[k].frame, any_slot))


@of_step
def copy_page(s: State, k: FlightId, source: FlightId, *, any_slot: int) -> Actions:
    """Copy a held frame into memory that is held."""
    copied = w.Copied(s.flights[k].frame, s.flights[source].frame, any_slot)
    return w.HOLD_MEMORY.of(r.InFlight(k)), r.HOLD.of(r.InFlight(source)), w.COPY.of(copied)


@of_step
def write_xen_slots(s: State, k: FlightId, *, readonly_m2p: bool, any_slot: int) -> Actions:
    """Write Xen's slots into a table that is looked at."""
    return (w.WRITE_XENS.of(w.XensPage(s.flights[k].frame, any_slot, readonly_m2p)),)


@of_step
def write_readonly_m2p(s: State, k: FlightId, *, shown: bool) -> Actions:
    """Show the machine-to-physical map in a table, or hide it."""
    return (w.SHOW_MAP.of(w.XensPage(s.flights[k].frame, s.pte.xen_first, shown)),)


@of_step
def clear_unused(s: State, k: FlightId, slot: int) -> Actions:
    """Empty a word that no walk reads."""
    return w.EMPTY_UNUSED.of(w.Unwalked(k, slot)), w.STORE.of(w.Stored(s.flights[k].frame, slot, 0))


@of_step
def skip_absent(s: State, k: FlightId, slot: int) -> Actions:
    """Pass slots that need nothing."""
    return (w.ADVANCE.of(w.Place(s.flights[k].frame, slot)),)


@of_step
def unwind(s: State, k: FlightId) -> Actions:
    """Go back to the first slot."""
    return (w.ADVANCE.of(w.Place(s.flights[k].frame, 0)),)
