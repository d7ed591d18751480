"""Storing page-table entries: where an in-flight reference becomes an entry's, and back.

An entry is linked when its table is validated past it; then its row names what its reference was taken
for. `install` links the next slot of a table that is being validated, `replace` changes a slot of a
validated table that the caller has locked and puts the old reference in flight, `amend` changes flags
that need no new reference, `release` unlinks the next slot down of a table that is being demoted.
"""

from xenmodel.machine import Machine, View
from xenmodel.memory import holders
from xenmodel.memory.rows import (
    DEVALIDATING,
    HELD,
    IDLE,
    LINEAR_LIMIT,
    LINEAR_USES_LIMIT,
    REF,
    VALIDATING,
    Entry,
    Flight,
)
from xenmodel.step import require, step
from xenmodel.views import FrameView
from xenspec.logic import Not, either
from xenspec.vocabulary import EAGAIN, EINVAL, L1, L2, L4, SEG, WRITABLE, FlightId, Mfn, PageType, VcpuId

LINKED = (
    "entries.linked",
    "entries.linked_as",
    "entries.target",
    "entries.writable",
    "entries.backed",
    "entries.linear",
)
"""The fields of an entry's row, all written when it is linked."""


def link_slot(m: Machine, t: Mfn, slot: int, kn: FlightId, word: int, *, backed: bool) -> None:
    """Store `word` at (t, slot) and put the reference of flight `kn` there; without one if not `backed`."""
    e = m.entries[t, slot]
    target = m.pte.target(word)
    m.words[t, slot] = word
    e.linked = True
    e.linked_as = m.frames[t].type
    e.target = target
    e.writable = m.pte.writable(word)
    e.backed = backed
    e.linear = False
    if backed:
        flight = m.flights[kn]
        m.ghost.move(
            target,
            holders.flight(kn),
            holders.entry(t, slot),
            typed=flight.mode == HELD,
            general=True,
        )
        flight.mode = IDLE


def require_reference(m: Machine, kn: FlightId, level: PageType, target: Mfn, *, writable: bool) -> None:
    """Refuse unless flight `kn` holds what an entry of a table of `level` to `target` needs."""
    flight = m.flights[kn]
    require("the reference is to the entry's target", flight.frame == target, EAGAIN)
    typed = (level > L1) | writable
    require(
        "the reference is of the kind the entry needs",
        (typed & (flight.mode == HELD)) | (Not(typed) & (flight.mode == REF)),
        EAGAIN,
    )


def require_type(m: Machine, level: PageType, target: Mfn, *, writable: bool) -> None:
    """Refuse unless the target has the type that an entry of a table of `level` needs."""
    kind = m.frames[target].type
    require(
        "the target is a table of the level below, or writable",
        (level > L1) & (kind == level - 1) | (level == L1) & (Not(writable) | (kind == WRITABLE)),
        EAGAIN,
    )


def _require_authority(m: Machine, k: FlightId, t: Mfn, target: Mfn) -> None:
    """Refuse unless the table's owner owns the target, or the control domain maps it in an L1 table."""
    table = m.frames[t]
    require("it is a page table", (table.type >= L1) & (table.type <= L4), EAGAIN)
    require(
        "the target is the table's owner's, or the caller controls other domains",
        (m.frames[target].owner == table.owner)
        | ((table.type == L1) & m.domains[m.vcpus[VcpuId(k[0])].domain].privileged),
        EAGAIN,
    )


def none_present(m: Machine, t: Mfn, first: int, end: int) -> bool:
    """Return whether none of a table's own slots first .. end-1 is present. Part of a step."""
    return m.words.none_present(t, first, end, top=has_xen_slots(m, m.frames[t]))


def has_xen_slots(m: View, frame: FrameView) -> bool:
    """Return whether slots of a table are Xen's own. May be part of a step."""
    return (frame.type == m.pte.xen_level) & (m.pte.xen_in_each | frame.top_l2)


def is_guest_slot(m: View, frame: FrameView, slot: int) -> bool:
    """Return whether a slot is not Xen's own, the frame being of its type. May be part of a step."""
    return either(
        frame.type != m.pte.xen_level,
        lambda: (slot < m.pte.xen_first) | (slot >= m.pte.xen_end) | Not(m.pte.xen_in_each | frame.top_l2),
    )


def is_changeable(m: View, frame: FrameView, slot: int) -> bool:
    """Return whether a slot may change while its table is one. May be part of a step."""
    return (frame.type != m.pte.levels) | (slot < m.pte.changeable)


def require_present(m: Machine, word: int) -> None:
    """Refuse a word that the processor would not use. Part of a step."""
    require("the word is present", m.pte.present(word), EAGAIN)


def require_one_frame(m: Machine, level: int, word: int) -> None:
    """Refuse an entry of a table of `level` that maps more than one frame. Part of a step."""
    require("no large page above L1", either(level == L1, lambda: Not(m.pte.large(word))), EAGAIN)


def _validating(m: Machine, k: FlightId, slot: int) -> Flight:
    flight = m.flights[k]
    require("the table is being validated", flight.mode == VALIDATING, EAGAIN)
    frame = m.frames[flight.frame]
    require("the slot is the next one", (frame.next_slot == slot) & (slot < m.pte.slots), EAGAIN)
    require("the slot is the guest's", is_guest_slot(m, frame, slot), EAGAIN)
    require("no child waits at the slot", Not(frame.partial_entry), EAGAIN)
    return flight


@step(*LINKED, "words.word", "frames.next_slot", "flights.mode")
def install(m: Machine, k: FlightId, kn: FlightId, slot: int, word: int) -> None:
    """Link the next slot of a table being validated, with the reference in flight `kn`."""
    flight = _validating(m, k, slot)
    table = m.frames[flight.frame]
    target, writable = m.pte.target(word), m.pte.writable(word)
    require_present(m, word)
    require_reference(m, kn, table.type, target, writable=writable)
    require_type(m, table.type, target, writable=writable)
    require_one_frame(m, table.type, word)
    _require_authority(m, k, flight.frame, target)
    link_slot(m, flight.frame, slot, kn, word, backed=True)
    table.next_slot = slot + 1


@step(*LINKED, "words.word", "frames.next_slot")
def install_unbacked(m: Machine, k: FlightId, kn: FlightId, slot: int, word: int) -> None:
    """Link the next slot of a table being validated to I/O space, or to the table itself, read-only."""
    flight = _validating(m, k, slot)
    table = m.frames[flight.frame]
    target, writable = m.pte.target(word), m.pte.writable(word)
    require_present(m, word)
    _require_unbacked(m, flight.frame, target, level=table.type, writable=writable)
    require_one_frame(m, table.type, word)
    link_slot(m, flight.frame, slot, kn, word, backed=False)
    table.next_slot = slot + 1


def _require_unbacked(m: Machine, t: Mfn, target: Mfn, *, level: PageType, writable: bool) -> None:
    """Refuse unless an entry may do without a reference."""
    frame = m.frames[target]
    io_rights = m.domains[m.frames[t].owner].io_rights
    require(
        "the target is I/O space that may be mapped so, or the table itself read-only",
        (level == L1) & io_rights & frame.mappable_io & Not(writable & frame.readonly_io)
        | (level > L1) & (level <= L4) & (target == t) & Not(writable),
        EAGAIN,
    )


@step("frames.next_slot")
def skip_absent(m: Machine, k: FlightId, slot: int) -> None:
    """Pass over the slots before `slot`: none of them, from the next one on, needs anything."""
    flight = m.flights[k]
    require("the frame is being validated", flight.mode == VALIDATING, EAGAIN)
    frame = m.frames[flight.frame]
    require("forward", (frame.next_slot <= slot) & (slot <= m.pte.slots), EAGAIN)
    require("no child waits at the next slot", Not(frame.partial_entry), EAGAIN)
    if frame.type == SEG:
        require("only zeros between", m.words.all_zero(flight.frame, frame.next_slot, slot), EAGAIN)
    else:
        require("nothing present between", none_present(m, flight.frame, frame.next_slot, slot), EAGAIN)
    frame.next_slot = slot


@step("words.word", "frames.next_slot")
def accept_descriptor(m: Machine, k: FlightId, slot: int) -> None:
    """Check the next descriptor of a page being validated; store it as Xen makes it (check_descriptor)."""
    flight = _validating(m, k, slot)
    frame = m.frames[flight.frame]
    require("it is a descriptor page", frame.type == SEG, EAGAIN)
    word = m.words[flight.frame, slot]
    require("the descriptor is acceptable", m.descriptors.accepted(word), EINVAL)
    m.words[flight.frame, slot] = m.descriptors.stored(word)
    frame.next_slot = slot + 1


def take_out(m: Machine, t: Mfn, slot: int, ko: FlightId, e: Entry) -> None:
    """Move the reference of a linked entry into the idle flight `ko`, if it has one."""
    e.linked = False
    if e.backed:
        flight = m.flights[ko]
        typed = (e.linked_as > L1) | e.writable
        m.ghost.move(e.target, holders.entry(t, slot), holders.flight(ko), typed=typed, general=True)
        flight.frame = e.target
        if typed:
            flight.mode = HELD
        else:
            flight.mode = REF
        if e.linear:
            e.linear = False
            table, linked = m.frames[t], m.frames[e.target]
            table.linear = table.linear - 1
            linked.linear = linked.linear + 1


def require_locked(m: Machine, k: FlightId, t: Mfn, slot: int) -> None:
    """Refuse unless flight `k` has locked the table, and the slot is the guest's. Part of a step."""
    flight, table = m.flights[k], m.frames[t]
    require("the table is locked", (flight.mode == HELD) & (flight.frame == t), EAGAIN)
    require("it is a page table", (table.type >= L1) & (table.type <= L4), EINVAL)
    require("the slot exists", (slot >= 0) & (slot < m.pte.slots), EINVAL)
    require("the slot is the guest's", is_guest_slot(m, table, slot) & is_changeable(m, table, slot), EINVAL)


@step(*LINKED, "words.word", "flights.mode", "flights.frame", "frames.linear")
def replace(m: Machine, k: FlightId, kn: FlightId, ko: FlightId, slot: int, word: int) -> None:
    """Link a slot of a locked table with the reference in flight `kn`; the old one goes to flight `ko`."""
    t = m.flights[k].frame
    require_locked(m, k, t, slot)
    require("the flight of the old reference is idle", m.flights[ko].mode == IDLE, EAGAIN)
    level = m.frames[t].type
    target, writable = m.pte.target(word), m.pte.writable(word)
    require_present(m, word)
    require_reference(m, kn, level, target, writable=writable)
    require_type(m, level, target, writable=writable)
    require_one_frame(m, level, word)
    _require_authority(m, k, t, target)
    e = m.entries[t, slot]
    if e.linked:
        take_out(m, t, slot, ko, e)
    link_slot(m, t, slot, kn, word, backed=True)


@step(*LINKED, "words.word", "flights.mode", "flights.frame", "frames.linear")
def replace_unbacked(m: Machine, k: FlightId, kn: FlightId, ko: FlightId, slot: int, word: int) -> None:
    """Link a slot of a locked table to I/O space or to the table itself; the old reference goes to `ko`."""
    t = m.flights[k].frame
    require_locked(m, k, t, slot)
    require("the flight of the old reference is idle", m.flights[ko].mode == IDLE, EAGAIN)
    level = m.frames[t].type
    target, writable = m.pte.target(word), m.pte.writable(word)
    require_present(m, word)
    _require_unbacked(m, t, target, level=level, writable=writable)
    require_one_frame(m, level, word)
    e = m.entries[t, slot]
    if e.linked:
        take_out(m, t, slot, ko, e)
    link_slot(m, t, slot, kn, word, backed=False)


@step("entries.linked", "entries.linear", "words.word", "flights.mode", "flights.frame", "frames.linear")
def empty(m: Machine, k: FlightId, ko: FlightId, slot: int, word: int) -> None:
    """Store a word that is not present into a slot of a locked table; the old reference goes to `ko`."""
    t = m.flights[k].frame
    require_locked(m, k, t, slot)
    require("the flight of the old reference is idle", m.flights[ko].mode == IDLE, EAGAIN)
    require("the new word is not present", Not(m.pte.present(word)), EAGAIN)
    e = m.entries[t, slot]
    if e.linked:
        take_out(m, t, slot, ko, e)
    m.words[t, slot] = word


@step("words.word")
def amend(m: Machine, k: FlightId, slot: int, word: int) -> None:
    """Change flags of a linked slot that need no new reference (the fast path of mod_l1_entry)."""
    t = m.flights[k].frame
    require_locked(m, k, t, slot)
    e = m.entries[t, slot]
    require_present(m, word)
    require("the slot is linked", e.linked, EAGAIN)
    require("to the same frame", e.target == m.pte.target(word), EAGAIN)
    require("with the same write permission", e.writable == m.pte.writable(word), EAGAIN)
    require_one_frame(m, e.linked_as, word)
    m.words[t, slot] = word


@step(
    "entries.linked", "entries.linear", "flights.mode", "flights.frame", "frames.linear", "frames.next_slot"
)
def release(m: Machine, k: FlightId, ko: FlightId, slot: int) -> None:
    """Unlink the highest linked slot of a table that is being demoted; its reference goes to `ko`."""
    flight = m.flights[k]
    require(
        "the table is being demoted, or its validation is given up",
        (flight.mode == DEVALIDATING) | (flight.mode == VALIDATING),
        EAGAIN,
    )
    frame = m.frames[flight.frame]
    require("the slot was validated", (slot >= 0) & (slot < frame.next_slot), EAGAIN)
    require("no child waits at the next slot", Not(frame.partial_entry), EAGAIN)
    require("the flight of the old reference is idle", m.flights[ko].mode == IDLE, EAGAIN)
    require("nothing present above", none_present(m, flight.frame, slot + 1, frame.next_slot), EAGAIN)
    e = m.entries[flight.frame, slot]
    if e.linked:
        take_out(m, flight.frame, slot, ko, e)
    frame.next_slot = slot


@step(*LINKED, "words.word", "flights.mode", "frames.next_slot", "frames.linear")
def install_linear(m: Machine, k: FlightId, kn: FlightId, slot: int, word: int) -> None:
    """Link the next slot of a table being validated to another table of its own level, read-only."""
    flight = _validating(m, k, slot)
    table = m.frames[flight.frame]
    _require_linear(m, flight.frame, kn, word)
    _require_authority(m, k, flight.frame, m.pte.target(word))
    _link_linear(m, flight.frame, kn, slot, word)
    table.next_slot = slot + 1


@step(*LINKED, "words.word", "flights.mode", "flights.frame", "frames.linear")
def replace_linear(m: Machine, k: FlightId, kn: FlightId, ko: FlightId, slot: int, word: int) -> None:
    """Link a slot of a locked table to another table of its own level, read-only."""
    t = m.flights[k].frame
    require_locked(m, k, t, slot)
    require("the flight of the old reference is idle", m.flights[ko].mode == IDLE, EAGAIN)
    _require_linear(m, t, kn, word)
    _require_authority(m, k, t, m.pte.target(word))
    e = m.entries[t, slot]
    if e.linked:
        take_out(m, t, slot, ko, e)
    _link_linear(m, t, kn, slot, word)


def _require_linear(m: Machine, t: Mfn, kn: FlightId, word: int) -> None:
    """Refuse unless `t` may link another table of its level with the reference in `kn`."""
    require_present(m, word)
    target = m.pte.target(word)
    require("a linear entry is read-only", Not(m.pte.writable(word)), EINVAL)
    table, linked, flight = m.frames[t], m.frames[target], m.flights[kn]
    require_one_frame(m, table.type, word)
    require("the level is above L1", (table.type >= L2) & (table.type <= L4), EINVAL)
    require("the level has linear tables", (table.type != m.pte.levels) | m.pte.linear_top, EINVAL)
    require(
        "the reference is to the entry's target",
        (flight.mode == HELD) & (flight.frame == target) & (target != t),
        EAGAIN,
    )
    require(
        "the target is a validated table of the same level",
        (linked.type == table.type) & linked.validated,
        EINVAL,
    )
    require("the table is no linear target", (table.linear >= 0) & (table.linear < LINEAR_LIMIT), EINVAL)
    require(
        "the target has no linear entries",
        (linked.linear <= 0) & (linked.linear > -LINEAR_USES_LIMIT),
        EINVAL,
    )


def _link_linear(m: Machine, t: Mfn, kn: FlightId, slot: int, word: int) -> None:
    target = m.pte.target(word)
    table, linked = m.frames[t], m.frames[target]
    table.linear = table.linear + 1
    linked.linear = linked.linear - 1
    link_slot(m, t, slot, kn, word, backed=True)
    m.entries[t, slot].linear = True
