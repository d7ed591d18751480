"""What the steps do that change a grant table as a whole, and that transfer a frame to another domain."""

from xenproofs.judge.actions.registry import Actions, of_step
from xenspec.grants.books import State
from xenspec.grants.contracts import pages as p_
from xenspec.grants.contracts import tables as t
from xenspec.grants.contracts import transfers as x
from xenspec.memory.contracts import references as r
from xenspec.memory.contracts import words as w
from xenspec.vocabulary import DomId, GrantFrameId, GrantId, Mfn, TransferId


@of_step
def make_shared(_: State, f: Mfn, owner: DomId) -> Actions:
    """Make a free frame a page of Xen's own, scrubbed; it is charged to nobody."""
    given = r.OfDomain(f, owner)
    return r.GIVE.of(given), r.SCRUB.of(r.OfFrame(f)), p_.SHARE.of(p_.Shared(f, owner))


@of_step
def add_grant_frame(_: State, p: GrantFrameId, f: Mfn) -> Actions:
    """Have one more page of entries."""
    page = p_.Paged(p, f)
    return p_.BE_PAGE.of(page), p_.NEXT_PAGE.of(page)


@of_step
def add_status_frame(_: State, p: GrantFrameId, f: Mfn) -> Actions:
    """Have one more page of status."""
    page = p_.Paged(p, f)
    return p_.BE_PAGE.of(page), p_.NEXT_STATUS.of(page)


@of_step
def drop_status_frame(s: State, p: GrantFrameId) -> Actions:
    """Free the last page of status."""
    return p_.DROP_STATUS.of(p_.Dropped(p)), *_freed(s.status_frames[p].frame, DomId(p[0]))


@of_step
def drop_grant_frame(s: State, p: GrantFrameId) -> Actions:
    """Free the last page of a dying domain's entries."""
    return p_.DROP_PAGE.of(p_.Dropped(p)), *_freed(s.grant_frames[p].frame, DomId(p[0]))


def _freed(f: Mfn, domain: DomId) -> Actions:
    """Free a page of Xen's own."""
    freed = r.OfFrame(f)
    return p_.FREE.of(p_.Freed(f, domain)), r.LET_GO.of(freed), r.FORGET_NUMBER.of(freed)


@of_step
def swap_entries(_: State, a: GrantId, b: GrantId) -> Actions:
    """Swap two entries."""
    return (t.SWAP.of(t.Swapped(a, b)),)


@of_step
def change_version(_: State, domain: DomId, version: int, *, any_slot: int) -> Actions:
    """Change the layout of a table's entries."""
    return (t.RELAY.of(t.Relaid(domain, version, any_slot)),)


@of_step
def write_entry(s: State, p: GrantFrameId, slot: int, word: int) -> Actions:
    """Write one's own entries."""
    stored = w.Stored(s.grant_frames[p].frame, slot, word)
    return t.GRANT.of(t.GuestsWord(p)), w.STORE.of(stored)


# --- Transfers ----------------------------------------------------------------------------------------------


@of_step
def reserve_page(_: State, v: TransferId, f: Mfn, g: GrantId) -> Actions:
    """Charge a page for a transfer."""
    return (x.RESERVE.of(x.Charged(v, f, g)),)


@of_step
def unreserve_page(_: State, v: TransferId) -> Actions:
    """Give the charge of a transfer back."""
    return (x.UNRESERVE.of(x.Transferred(v)),)


@of_step
def commit_transfer(_: State, v: TransferId) -> Actions:
    """Bind the entry that waits for a frame."""
    return (x.COMMIT.of(x.Transferred(v)),)


@of_step
def hand_over(s: State, v: TransferId) -> Actions:
    """Give the frame to who was charged for it."""
    row = s.transfers[v]
    return r.GIVE.of(r.OfDomain(row.frame, row.domain)), x.HAND_OVER.of(x.Transferred(v))


@of_step
def complete_transfer(_: State, v: TransferId) -> Actions:
    """Tell the new owner its frame."""
    return (x.COMPLETE.of(x.Transferred(v)),)
