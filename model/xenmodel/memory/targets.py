"""Taking an entry's target: who may map what, and which reference the entry needs.

L1 entries: three parties count (the table's owner, the domain that the call names, the frame's real
owner), I/O space needs the right to it and is adjusted instead of referenced (get_page_from_l1e). Entries
of L2..L4 tables need a table of the level below, or, read-only, another table of their own level.
"""

from xenmodel.hypercall import Call, Preempted, Steps
from xenmodel.memory import promotion
from xenmodel.memory.claim import drop_ref, mark_noncoherent, take_ref
from xenmodel.memory.demotion import drop_leaf, put_type
from xenmodel.memory.linear import take_linear
from xenmodel.memory.linking import (
    install,
    install_linear,
    install_unbacked,
    replace,
    replace_linear,
    replace_unbacked,
)
from xenmodel.memory.rows import IDLE, REF, Place
from xenmodel.step import Refused
from xenspec.vocabulary import (
    DOMID_INVALID,
    DOMID_IO,
    EACCES,
    EBUSY,
    EINVAL,
    EPERM,
    WRITABLE,
    DomId,
    Errno,
    FlightId,
    PageType,
)


def take_leaf(x: Call, k: FlightId, word: int, table_owner: DomId, named: DomId) -> Steps[int]:
    """Take what an L1 entry needs into flight `k`; return the word that Xen stores.

    The flight stays idle for I/O space. Raises Refused: EINVAL (flags, no such frame), EPERM (I/O without
    the right), EBUSY (not the named domain's, or in use as something else), EACCES (caching of Xen's page).
    """
    m = x.m
    pte = m.pte
    if pte.without_io_rights_refused(word) and not m.domains[table_owner].io_rights:
        raise Refused("L1 flags", EINVAL)
    f = pte.target(word)
    frame = m.frames[f]
    if frame.place == Place.IO:
        check_io(x, f, table_owner, named)
        return pte.adjusted(pte.io_adjusted(word, readonly=frame.readonly_io), 1)
    real = frame.owner
    if real != named and not _may_name(x, table_owner, named, real):
        raise Refused("frame belongs to the named domain", EBUSY)
    try:
        take_ref(m, k, f, real)
        yield take_ref
    except Refused as refusal:
        raise Refused(refusal.guard, EBUSY) from None
    writable = pte.writable(word)
    if writable:
        yield from take_writable(x, k)
    if frame.special and not pte.cached(word):
        yield from drop_leaf(x, k)
        raise Refused("Xen's own frame is mapped cached", EACCES)
    if writable and pte.write_combining(word):
        mark_noncoherent(m, k)
        yield mark_noncoherent
    return pte.adjusted(word, 1)


def take_writable(x: Call, k: FlightId, errno: Errno = EBUSY) -> Steps[None]:
    """Take the writable type for the frame in flight `k`; on refusal drop its general reference too."""
    try:
        yield from promotion.take_type(x, k, WRITABLE)
    except Refused as refusal:
        drop_ref(x.m, k)
        yield drop_ref
        raise Refused(refusal.guard, errno) from None


def _may_name(x: Call, table_owner: DomId, named: DomId, real: DomId) -> bool:
    """Return whether naming `named` lets its frames' rights extend to a frame of `real`."""
    if real == DOMID_INVALID or named == table_owner:
        return False
    return x.m.domains[named].privileged


def check_io(x: Call, f: int, table_owner: DomId, named: DomId) -> None:
    """Refuse unless the named domain and the table's owner may map this I/O frame."""
    m = x.m
    asked = x.domain if named == DOMID_IO else named
    for domain in (asked, table_owner):
        if not (m.domains[domain].io_rights and m.frames[f].mappable_io):
            errno = EINVAL if f == m.pte.no_frame else EPERM
            raise Refused("domain may map the I/O frame", errno)


def _take_child(x: Call, k: FlightId, word: int, table: int, *, top: bool = False) -> Steps[str]:
    """Take what an L2..L4 entry needs into flight `k`; return `below`, `linear` or `self`.

    `top`: the entry must link an L2 table for the top of the address space.
    """
    m = x.m
    level = m.frames[table].type
    if m.pte.table_flags_refused(word, level):
        raise Refused("table flags", EINVAL)
    if top and not m.pte.present(word):
        raise Refused("the top slot is present", EINVAL)
    f = m.pte.target(word)
    flight = m.flights[k]
    try:
        if flight.mode == IDLE:
            take_ref(m, k, f, m.frames[table].owner)
            yield take_ref
        yield from promotion.take_type(x, k, PageType(level - 1), top=top)
    except Refused as refusal:
        if flight.mode == REF:
            drop_ref(m, k)
            yield drop_ref
        if refusal.errno != EINVAL or (level == m.pte.levels and not m.pte.linear_top):
            raise
    else:
        return "below"
    return (yield from take_linear(x, k, word, table))


def install_table(x: Call, k: FlightId, inner: FlightId, slot: int, word: int) -> Steps[None]:
    """Link the next slot of an L2..L4 table being validated (get_page_from_lNe)."""
    m = x.m
    t = m.flights[k].frame
    level = m.frames[t].type
    top = slot == m.pte.top_slot and level == m.pte.levels
    how = yield from _take_child(x, inner, word, t, top=top)
    stored = m.pte.adjusted(word, level)
    if how == "below":
        install(m, k, inner, slot, stored)
        yield install
    elif how == "self":
        install_unbacked(m, k, inner, slot, stored)
        yield install_unbacked
    else:
        try:
            install_linear(m, k, inner, slot, stored)
            yield install_linear
        except Refused:
            yield from _give_back(x, inner)
            raise


def replace_table(
    x: Call, k: FlightId, flights: tuple[FlightId, FlightId], slot: int, word: int
) -> Steps[None]:
    """Link a slot of a locked L2..L4 table; `flights` are those of the new and the old reference."""
    m = x.m
    kn, ko = flights
    t = m.flights[k].frame
    try:
        how = yield from _take_child(x, kn, word, t)
    except Preempted:
        drop_ref(m, kn)
        yield drop_ref
        raise
    if how == "below":
        replace(m, k, kn, ko, slot, word)
        yield replace
    elif how == "self":
        replace_unbacked(m, k, kn, ko, slot, word)
        yield replace_unbacked
    else:
        try:
            replace_linear(m, k, kn, ko, slot, word)
            yield replace_linear
        except Refused:
            yield from _give_back(x, kn)
            raise


def _give_back(x: Call, k: FlightId) -> Steps[None]:
    """Drop a linear target's references; never the last typed one, since the target is validated in use."""
    yield from put_type(x, k)
    drop_ref(x.m, k)
    yield drop_ref
