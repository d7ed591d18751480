"""Entries of grant tables in the pages shared with their domain: read and marked. Parts of steps.

The guest may change an entry at any moment, between any two of these.
"""

from xenmodel.grants.rows import ActiveGrant
from xenmodel.grants.views import ActiveGrantView
from xenmodel.machine import Machine, View
from xenspec.logic import Not, both, ite
from xenspec.vocabulary import DomId, GrantId, Mfn


def place_of(m: View, g: GrantId) -> tuple[Mfn, int]:
    """Return the frame and the slot of an entry's first word."""
    page, slot = m.grants.place(m.grant_tables[g[0]].version, g[1])
    return m.grant_frames[g[0], page].frame, slot


def header(m: View, g: GrantId) -> int:
    """Return an entry's first word: its flags and its domain."""
    return m.words[place_of(m, g)]


def named_frame(m: View, g: GrantId) -> Mfn:
    """Return the frame that an entry names."""
    f, slot = place_of(m, g)
    return m.grants.frame(m.grant_tables[g[0]].version, m.words[f, slot], m.words[f, slot + 1])


def passes_on(m: View, g: GrantId) -> bool:
    """Return whether an entry passes on another domain's grant (version 2 alone has such entries)."""
    return both(m.grant_tables[g[0]].version != 1, lambda: m.grants.transitive(header(m, g)))


def named_grant(m: View, g: GrantId) -> GrantId:
    """Return the other domain's entry that a transitive entry names."""
    f, slot = place_of(m, g)
    return GrantId(m.grants.through(m.words[f, slot], m.words[f, slot + 1]))


def entry_count(m: View, domain: DomId) -> int:
    """Return how many entries a domain's table has."""
    table = m.grant_tables[domain]
    return m.grants.entries(table.version, table.frames)


def exists(m: View, g: GrantId) -> bool:
    """Return whether the entry is one of its table."""
    return (g[1] >= 0) & (g[1] < entry_count(m, DomId(g[0])))


def is_pinned(active: ActiveGrantView) -> bool:
    """Return whether anybody uses what the entry granted."""
    return (
        (active.host_writable > 0)
        | (active.host_readonly > 0)
        | (active.device_writable > 0)
        | (active.device_readonly > 0)
    )


def is_written(active: ActiveGrantView) -> bool:
    """Return whether anybody may write what the entry granted."""
    return (active.host_writable > 0) | (active.device_writable > 0)


def is_news(active: ActiveGrantView, *, readonly: bool) -> bool:
    """Return whether a use is the first of its entry, or the first to write: then the entry is looked at."""
    return Not(is_pinned(active)) | (Not(readonly) & Not(is_written(active)))


def pins_of(active: ActiveGrantView) -> tuple[int, int, int, int]:
    """Return an active entry's pins of each kind."""
    return active.host_writable, active.host_readonly, active.device_writable, active.device_readonly


def mark_used(m: Machine, g: GrantId, *, writing: bool) -> None:
    """Tell the granting domain that its entry is in use (_set_status)."""
    at = mark_place(m, g)
    word = m.words[at]
    m.words[at] = ite(
        m.grant_tables[g[0]].version == 1,
        m.grants.used(word, writing=writing),
        m.grants.used_status(word, g[1], writing=writing),
    )


def mark_less_used(m: Machine, g: GrantId, *, readonly: bool) -> None:
    """Clear what is not true any more of an entry in use (reduce_status_for_pin).

    `readonly`: of the mapping that goes; it never cleared the flag of writing.
    """
    active = m.active[g]
    reading, writing = Not(is_pinned(active)), Not(readonly) & Not(is_written(active))
    if exists(m, g) & (reading | writing):
        at = mark_place(m, g)
        word = m.words[at]
        m.words[at] = ite(
            m.grant_tables[g[0]].version == 1,
            m.grants.unused(word, reading=reading, writing=writing),
            m.grants.unused_status(word, g[1], reading=reading, writing=writing),
        )


def mark_place(m: View, g: GrantId) -> tuple[Mfn, int]:
    """Return the frame and the slot of the word in which Xen marks that an entry is in use."""
    old, (f, slot), (status, place) = m.grant_tables[g[0]].version == 1, place_of(m, g), status_at(m, g)
    return ite(old, f, status), ite(old, slot, place)


def status_at(m: View, g: GrantId) -> tuple[Mfn, int]:
    """Return the frame and the slot of the word with an entry's status (version 2)."""
    page, slot = m.grants.status_place(g[1])
    return m.status_frames[g[0], page].frame, slot


def add_pins(active: ActiveGrant, by: int, *, host: bool, device: bool, readonly: bool) -> None:
    """Raise or lower an active entry's pins."""
    active.host_writable = active.host_writable + ite(host & Not(readonly), by, 0)
    active.host_readonly = active.host_readonly + ite(host & readonly, by, 0)
    active.device_writable = active.device_writable + ite(device & Not(readonly), by, 0)
    active.device_readonly = active.device_readonly + ite(device & readonly, by, 0)
