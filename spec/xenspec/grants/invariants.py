"""Safety of grants: what is mapped by a grant is what its owner granted, for as long as anybody uses it.

Real Xen's refinements are stated, not hidden. Permission is what is remembered of an entry in use, not what
the granting domain's memory says now. A domain that overwrites the page-table entry of a mapping lets its
references go, and keeps the handle: so a handle for processors alone promises nothing about its frame.
"""

from xenspec.grants.state import ActiveRow, CopyRow, GrantState, PassedRow, TransRow, UseRow
from xenspec.invariant import Kind, Registry
from xenspec.logic import Not, both, conj, either, implies
from xenspec.memory.frames import NO_FRAME
from xenspec.vocabulary import (
    DOMID_FIRST_RESERVED,
    DOMID_INVALID,
    WRITABLE,
    CopyId,
    DomId,
    GrantFrameId,
    GrantId,
    HandleId,
    Mfn,
    TlbKey,
    UnmapId,
)

SAFETY: Registry[GrantState] = Registry("grants", Kind.SAFETY)
invariant = SAFETY.invariant


def _entry(s: GrantState, use: UseRow) -> ActiveRow:
    """What is remembered of the entry that is used."""
    return s.active[use.domain, use.ref]


def _grants(s: GrantState, use: UseRow, domain: int) -> bool:
    """The entry that is used grants the frame to the domain."""
    return (_entry(s, use).domain == domain) & (_entry(s, use).frame == use.frame)


def _is_own(use: UseRow, granted: TransRow) -> bool:
    """What is used is granted by the entry itself, which passes nothing on."""
    return (granted.trans_domain == use.domain) & (granted.trans_ref == use.ref)


def _host_pin(s: GrantState, use: UseRow) -> bool:
    """The entry is pinned for processors as it is used."""
    return (use.readonly & (_entry(s, use).host_readonly > 0)) | (
        Not(use.readonly) & (_entry(s, use).host_writable > 0)
    )


def _device_pin(s: GrantState, use: UseRow) -> bool:
    """The entry is pinned for devices as it is used."""
    return (use.readonly & (_entry(s, use).device_readonly > 0)) | (
        Not(use.readonly) & (_entry(s, use).device_writable > 0)
    )


def _is_kept(s: GrantState, use: UseRow) -> bool:
    """The frame was not freed, and is writable memory in use if the use writes."""
    frame = s.frames[use.frame]
    return (frame.owner != DOMID_INVALID) & (use.readonly | ((frame.type == WRITABLE) & frame.validated))


def _is_held(s: GrantState, use: UseRow) -> bool:
    """The frame is the granting domain's still, and writable memory in use if the use writes."""
    return (s.frames[use.frame].owner == use.domain) & _is_kept(s, use)


# --- Mappings ---------------------------------------------------------------------------------------------


@invariant(property=28)
def mapping_is_of_what_was_granted(s: GrantState, h: HandleId) -> bool:
    """A mapping is of the whole frame that its entry itself grants to the domain that maps."""
    row = s.mappings[h]
    return implies(
        row.pinned,
        lambda: _grants(s, row, h[0]) & Not(_entry(s, row).sub_page) & _is_own(row, _entry(s, row)),
    )


@invariant(property=(2, 28), advisories=(224,))
def host_mapping_is_pinned(s: GrantState, h: HandleId) -> bool:
    """A mapping for processors has a pin, one to write if it may write."""
    row = s.mappings[h]
    return implies(row.pinned & row.host, lambda: _host_pin(s, row))


@invariant(property=(2, 28), advisories=(224,))
def device_mapping_is_pinned(s: GrantState, h: HandleId) -> bool:
    """A mapping for devices has a pin, one to write if it may write."""
    row = s.mappings[h]
    return implies(row.pinned & row.device, lambda: _device_pin(s, row))


@invariant(property=28)
def given_handle_is_of_a_mapping(s: GrantState, h: HandleId) -> bool:
    """A handle that the guest has is of a mapping that is pinned."""
    row = s.mappings[h]
    return implies(row.live, lambda: row.pinned & (row.host | row.device))


@invariant(property=28)
def pinned_handle_is_handed_out(s: GrantState, h: HandleId) -> bool:
    """Only a handle that is handed out has pins, so that none is handed out twice."""
    row = s.mappings[h]
    return implies(row.pinned, lambda: row.taken)


@invariant(property=(2, 7, 28), advisories=(224,))
def device_mapping_keeps_its_frame(s: GrantState, h: HandleId) -> bool:
    """What devices may reach by a grant stays its owner's, and writable memory if they may write."""
    row = s.mappings[h]
    return implies(row.live & row.device, lambda: _is_held(s, row))


# --- Unmappings and copies --------------------------------------------------------------------------------


@invariant(property=(7, 8, 28), advisories=(218,))
def unmapped_frame_stays_until_the_flush(s: GrantState, u: UnmapId) -> bool:
    """What was unmapped stays somebody's, and writable memory if it was, until the flush is over."""
    # A handle whose own entry was overwritten ends with any entry that maps what it mapped: that may be by a
    # later grant of the same frame, by another owner. What devices have stays the granting domain's.
    row = s.unmappings[u]
    return conj(
        implies(row.host, lambda: _is_kept(s, row)),
        implies(row.device, lambda: _is_held(s, row)),
    )


@invariant(property=(8, 28), advisories=(218,))
def unmapping_is_pinned_until_the_flush(s: GrantState, u: UnmapId) -> bool:
    """What was unmapped keeps its pins, and its entry what it grants, until the flush is over."""
    row = s.unmappings[u]
    return conj(
        implies(row.host, lambda: _host_pin(s, row) & _grants(s, row, u[0][0])),
        implies(row.device, lambda: _device_pin(s, row) & _grants(s, row, u[0][0])),
    )


@invariant(property=28)
def copy_is_of_what_was_granted(s: GrantState, c: CopyId) -> bool:
    """A side of a copy that uses a grant has a pin, and is of what its entry grants or passes on."""
    row = s.copies[c]
    return implies(
        row.pinned,
        lambda: (
            _grants(s, row, c[0][0])
            & _host_pin(s, row)
            & (_entry(s, row).trans_domain == row.trans_domain)
            & (_entry(s, row).trans_ref == row.trans_ref)
        ),
    )


@invariant(property=28)
def copied_frame_is_the_granting_domains(s: GrantState, c: CopyId) -> bool:
    """The frame that a side of a copy holds by a grant is still the domain's that granted it in the end."""
    row = s.copies[c]
    return implies(row.pinned & row.held, lambda: s.frames[row.frame].owner == row.trans_domain)


# --- Grants that are passed on ----------------------------------------------------------------------------


def _is_passed_on(row: CopyRow, passed: PassedRow) -> bool:
    """The grant is what a side's entry names, used for the entry's domain, to write if the side writes."""
    return (
        (passed.by == row.domain)
        & (passed.domain == row.trans_domain)
        & (passed.ref == row.trans_ref)
        & (row.readonly | Not(passed.readonly))
    )


@invariant(property=(2, 3, 15, 28), advisories=(226,))
def copy_by_a_transitive_entry_uses_what_it_passes_on(s: GrantState, c: CopyId) -> bool:
    """A side by a transitive entry has its own use of the grant that this passes on, of the same bytes."""
    row, passed = s.copies[c], s.passed[c]
    return implies(
        row.pinned & Not(_is_own(row, row)),
        lambda: (
            passed.pinned
            & _is_passed_on(row, passed)
            & (passed.frame == row.frame)
            & (passed.start == row.start)
            & (passed.length == row.length)
        ),
    )


@invariant(property=(2, 3, 28), advisories=(226,))
def passed_grant_is_what_is_looked_for(s: GrantState, c: CopyId) -> bool:
    """What is pinned for a side that looks for a grant is that grant, to write if the side writes."""
    row, passed = s.copies[c], s.passed[c]
    return implies(row.asked & passed.pinned, lambda: _is_passed_on(row, passed))


@invariant(property=(2, 3, 28), advisories=(226,))
def passed_grant_is_of_what_was_granted(s: GrantState, c: CopyId) -> bool:
    """A grant that is passed on has a pin for the domain that does so, and its entry passes nothing on."""
    row = s.passed[c]
    return implies(
        row.pinned,
        lambda: _grants(s, row, row.by) & _host_pin(s, row) & _is_own(row, _entry(s, row)),
    )


@invariant(property=(15, 28))
def passed_grant_is_another_domains(s: GrantState, c: CopyId) -> bool:
    """What an entry passes on is another domain's grant, never one of its own domain."""
    row = s.copies[c]
    return implies(row.asked | (row.pinned & Not(_is_own(row, row))), lambda: row.trans_domain != row.domain)


@invariant(property=(1, 28))
def copies_go_into_writable_memory(s: GrantState, c: CopyId) -> bool:
    """What a side of a copy holds to write is writable memory in use."""
    row = s.copies[c]
    return implies(
        row.held & row.typed,
        lambda: (s.frames[row.frame].type == WRITABLE) & s.frames[row.frame].validated,
    )


# --- Pages of tables --------------------------------------------------------------------------------------


def _is_shared(s: GrantState, f: Mfn, domain: int) -> bool:
    """The frame is a page of the domain's that is writable memory for good."""
    return (
        (s.frames[f].owner == domain)
        & s.frames[f].allocated
        & (s.frames[f].type == WRITABLE)
        & s.frames[f].validated
        & (s.frames[f].type_count > 0)
    )


@invariant(property=(1, 28))
def page_of_a_table_is_writable_memory(s: GrantState, p: GrantFrameId) -> bool:
    """The pages of a grant table are its domain's, and writable memory for good."""
    f = s.grant_frames[p].frame
    return implies(f != NO_FRAME, lambda: _is_shared(s, f, p[0]))


@invariant(property=(1, 28))
def page_of_status_is_writable_memory(s: GrantState, p: GrantFrameId) -> bool:
    """The pages of grant status are their domain's, and writable memory for good."""
    f = s.status_frames[p].frame
    return implies(f != NO_FRAME, lambda: _is_shared(s, f, p[0]))


# --- Domains ------------------------------------------------------------------------------------------------


@invariant(property=(7, 19, 32))
def domain_that_does_not_exist_has_no_page(s: GrantState, d: DomId) -> bool:
    """What does not exist is charged for no page, and has none of Xen's own: so it owns no frame."""
    row = s.domains[d]
    return implies(
        Not(row.exists) & (d >= 0) & (d < DOMID_FIRST_RESERVED),
        lambda: (row.pages == 0) & (row.xen_pages == 0),
    )


@invariant(property=(28, 32))
def granting_domain_exists(s: GrantState, g: GrantId) -> bool:
    """An entry in use is of a domain that exists."""
    active = s.active[g]
    return implies(
        (active.host_writable > 0)
        | (active.host_readonly > 0)
        | (active.device_writable > 0)
        | (active.device_readonly > 0),
        lambda: s.domains[g[0]].exists | (g[0] < 0) | (g[0] >= DOMID_FIRST_RESERVED),
    )


# --- Cached translations ----------------------------------------------------------------------------------


@invariant(property=(2, 3, 8, 28))
def cached_foreign_translation_is_granted(s: GrantState, k: TlbKey) -> bool:
    """A processor reaches another domain's frame only by a grant in use; the control and the dying apart."""
    x = s.tlb[k]
    return implies(
        both(x.valid & x.foreign, lambda: x.epoch == s.cpus[k[0]].epoch),
        lambda: either(
            s.domains[x.domain].privileged | s.domains[x.domain].dying | (s.frames[x.frame].ref_count == 0),
            lambda: (
                (s.shares[x.domain, x.frame].readable > 0)
                & (Not(x.writable) | (s.shares[x.domain, x.frame].writable > 0))
            ),
        ),
    )
