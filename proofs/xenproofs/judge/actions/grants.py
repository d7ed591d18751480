"""What the steps of grants do."""

from xenproofs.judge.actions.registry import Actions, of_step
from xenspec.grants.books import State
from xenspec.grants.contracts import copies as c_
from xenspec.grants.contracts import entries as e
from xenspec.grants.contracts import handles as h_
from xenspec.grants.contracts import mappings as g_
from xenspec.grants.contracts import passing as p_
from xenspec.logic import Not, ite
from xenspec.memory.contracts import entries as pte
from xenspec.memory.contracts import references as r
from xenspec.memory.contracts import words as w
from xenspec.vocabulary import CopyId, DomId, FlightId, GrantId, HandleId, UnmapId, VcpuId


def unused(use: e.Used) -> Actions:
    """End a use, and unmark what is not true any more."""
    return e.UNPIN.of(use), e.UNMARK.of(e.Marked(use.g, use.readonly))


# --- Handles ------------------------------------------------------------------------------------------------


@of_step
def add_handles(_: State, domain: DomId) -> Actions:
    """Have more handles."""
    return (h_.MORE_HANDLES.of(h_.OfDomain(domain)),)


@of_step
def take_handle(_: State, h: HandleId, g: GrantId, *, host: bool, device: bool, readonly: bool) -> Actions:
    """Hand a handle out."""
    return (h_.HAND_OUT.of(h_.Wanted(h, g, host, device, readonly)),)


@of_step
def free_handle(_: State, h: HandleId) -> Actions:
    """Take a handle back of which nothing came."""
    return h_.TAKE_BACK.of(h_.OfHandle(h)), h_.FORGET.of(h_.OfHandle(h))


@of_step
def pin_entry(s: State, k: FlightId, h: HandleId) -> Actions:
    """Use an entry for a mapping; the first use takes a reference of the frame that the entry names."""
    use = h_.use_of(s, h)
    taken = r.Taken(k, e.named(s, use.g), DomId(use.g[0]))
    first = r.TAKE.of(taken, when=Not(e.is_used(s.active[use.g])))
    return h_.BE_UNPINNED.of(h_.OfHandle(h)), e.PIN.of(use), first, h_.HOLD_PIN.of(h_.OfHandle(h))


@of_step
def clear_marks(s: State, h: HandleId) -> Actions:
    """Unmark an entry of which no use came."""
    use = h_.use_of(s, h)
    return h_.BE_UNPINNED.of(h_.OfHandle(h)), e.UNMARK.of(e.Marked(use.g, use.readonly))


@of_step
def unpin_entry(s: State, h: HandleId) -> Actions:
    """End the use of a mapping of which nothing came."""
    return h_.LOSE_PIN.of(h_.OfHandle(h)), *unused(h_.use_of(s, h))


@of_step
def give_handle(_: State, k: FlightId, h: HandleId, *, by_entry: bool) -> Actions:
    """Give a handle to its guest."""
    return (h_.GIVE_HANDLE.of(h_.Given(k, h, by_entry)),)


@of_step
def release_mapping(s: State, k: FlightId, h: HandleId) -> Actions:
    """End a mapping of a dying domain."""
    return h_.END_OF_DYING.of(h_.Freed(k, h)), *unused(h_.use_of(s, h)), h_.FORGET.of(h_.OfHandle(h))


# --- Mappings -----------------------------------------------------------------------------------------------


@of_step
def map_granted(
    s: State, k: FlightId, pair: tuple[FlightId, FlightId], slot: int, word: int, h: HandleId
) -> Actions:
    """Link a slot of a table in use to a granted frame."""
    (kn, ko), t = pair, s.flights[k].frame
    return (
        g_.MAP.of(g_.Mapped(VcpuId(k[0]), h, t, slot, word)),
        pte.UPDATE.of(pte.Locked(k, slot)),
        pte.TAKE_OUT.of(pte.TakenOut(t, slot, ko)),
        pte.BACK.of(pte.Backing(kn, t, word, linear=False)),
        pte.LINK.of(pte.Linked(t, slot, word, backed=True, linear=False)),
        w.STORE.of(w.Stored(t, slot, word)),
    )


@of_step
def steal_granted(s: State, k: FlightId, ko: FlightId, slot: int, h: HandleId) -> Actions:
    """Empty an entry that is to be stored elsewhere."""
    t = s.flights[k].frame
    out = pte.TakenOut(t, slot, ko)
    return (
        g_.OF_ITS_ENTRY.of(g_.Entered(h, t, slot)),
        g_.UNSTORE.of(h_.OfHandle(h)),
        pte.UPDATE.of(pte.Locked(k, slot)),
        pte.TAKE_OUT.of(out),
        pte.UNLINK.of(out),
        w.STORE.of(w.Stored(t, slot, 0)),
    )


@of_step
def unmap_host(s: State, k: FlightId, i: UnmapId, h: HandleId, slot: int) -> Actions:
    """Remove the entry of a mapping; its use goes on until the flush."""
    t = s.flights[k].frame
    return (
        g_.OF_ITS_ENTRY.of(g_.Entered(h, t, slot)),
        pte.UPDATE.of(pte.Locked(k, slot)),
        g_.REMOVE.of(pte.TakenOut(t, slot, k)),
        w.STORE.of(w.Stored(t, slot, 0)),
        g_.END_HOST.of(g_.Ended(h, i)),
        h_.FORGET.of(h_.OfHandle(h), when=Not(s.mappings[h].device)),
    )


@of_step
def unmap_device(s: State, i: UnmapId, h: HandleId) -> Actions:
    """End a mapping of devices; its use goes on until the flush."""
    whole = h_.FORGET.of(h_.OfHandle(h), when=Not(s.mappings[h].host))
    return g_.END_DEVICE.of(g_.Ended(h, i)), whole


def waiting(s: State, i: UnmapId, *, host: bool) -> e.Used:
    """Return the use of an entry that goes on at a place until the flush."""
    row = s.unmappings[i]
    return e.Used(GrantId((row.domain, row.ref)), DomId(i[0][0]), host, not host, row.readonly)


@of_step
def finish_host(s: State, k: FlightId, i: UnmapId) -> Actions:
    """Let go what processors had, after the flush."""
    over = g_.Over(i, k)
    return g_.AFTER_FLUSH.of(over), g_.LET_GO_HOST.of(over), *unused(waiting(s, i, host=True))


@of_step
def finish_device(s: State, k: FlightId, i: UnmapId) -> Actions:
    """Let go what devices had."""
    return g_.LET_GO_DEVICE.of(g_.Over(i, k)), *unused(waiting(s, i, host=False))


# --- Copies -------------------------------------------------------------------------------------------------


@of_step
def pin_for_copy(s: State, k: FlightId, c: CopyId, g: GrantId, *, readonly: bool) -> Actions:
    """Use an entry for a side of a copy, with a reference of its frame."""
    use = e.Used(g, DomId(c[0][0]), host=True, device=False, readonly=readonly, whole=False)
    used = e.is_used(s.active[g])
    taken = r.Taken(k, ite(used, s.active[g].frame, e.named(s, g)), DomId(g[0]))
    return e.PIN.of(use), e.READ_ANEW.of(use), r.TAKE.of(taken), c_.CLAIM.of(c_.Claimed(c, use))


@of_step
def hold_side(_: State, k: FlightId, c: CopyId) -> Actions:
    """Hold the frame of a side."""
    return (c_.HOLD_SIDE.of(c_.Held(k, c)),)


@of_step
def let_go_side(_: State, k: FlightId, c: CopyId) -> Actions:
    """Let the frame of a side go."""
    return (c_.LEAVE_SIDE.of(c_.Held(k, c)),)


@of_step
def mark_in_vain(_: State, g: GrantId, *, readonly: bool) -> Actions:
    """Mark an entry for a use that comes to nothing."""
    return (e.MARK_IN_VAIN.of(e.Marked(g, readonly)),)


@of_step
def unpin_copy(s: State, c: CopyId) -> Actions:
    """End the use of an entry by a side."""
    return c_.UNCLAIM.of(c_.OfSide(c)), *unused(c_.use_of(s, c))


# --- Transitive entries -------------------------------------------------------------------------------------


@of_step
def look_through(_: State, c: CopyId, g: GrantId, *, readonly: bool) -> Actions:
    """Look through a transitive entry."""
    use = e.Used(g, DomId(c[0][0]), host=True, device=False, readonly=readonly, whole=False)
    return (p_.LOOK_THROUGH.of(p_.Sought(c, use)),)


@of_step
def pin_passed(s: State, k: FlightId, c: CopyId) -> Actions:
    """Use the grant that an entry passes on, for the entry's domain, with a reference of its frame."""
    use = p_.inner_use(s, c)
    active = s.active[use.g]
    taken = r.Taken(k, ite(e.is_used(active), active.frame, e.named(s, use.g)), DomId(use.g[0]))
    return (
        p_.BE_PASSED.of(p_.PassedTo(c)),
        e.PIN.of(use),
        e.READ_ANEW.of(use),
        r.TAKE.of(taken),
    )


@of_step
def pin_passing(s: State, c: CopyId, old: tuple[int, int, int, int]) -> Actions:
    """Use a transitive entry whose grant is pinned."""
    return (p_.PIN_PASSING.of(p_.Passing(c, p_.outer_use(s, c), old)),)


@of_step
def look_away(s: State, c: CopyId) -> Actions:
    """Give up what a side looks for, and unmark its entry."""
    use = p_.outer_use(s, c)
    return p_.LOOK_AWAY.of(p_.PassedTo(c)), e.UNMARK.of(e.Marked(use.g, use.readonly))


@of_step
def unpin_passed(s: State, c: CopyId) -> Actions:
    """End the use of a grant that was passed on."""
    return p_.END_PASSED.of(p_.PassedTo(c)), *unused(p_.passed_use(s, c))


@of_step
def copy_unit(_: State, v: VcpuId, source: int, target: int, count: int) -> Actions:
    """Copy some bytes."""
    return (c_.COPY_BYTES.of(c_.Bytes(v, source, target, count)),)
