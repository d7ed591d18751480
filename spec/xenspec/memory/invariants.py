"""Safety of memory: what must hold of frames, entries, descriptors and cached translations in every state.

Entries speak of the level they were linked at (`linked_as`), so that they do not depend on the table's row,
which changes with every lock. Consequents are lazy (see xenspec.logic). "Present" in the properties means
linked here: raw words in a frame that is no table bind nobody.

A premise asks for what seldom changes and leaves counts to the consequent: "what has no type is not in use",
not "what is in use has a type". It says the same, and the monitor asks it a hundred times less.
"""

from xenspec.invariant import Kind, Registry
from xenspec.logic import Not, both, either, implies
from xenspec.memory.entries import MemoryState, TranslationRow
from xenspec.memory.frames import NO_FRAME
from xenspec.vocabulary import (
    DOMID_FIRST_RESERVED,
    DOMID_INVALID,
    L1,
    L4,
    NO_TYPE,
    SEG,
    WRITABLE,
    EntryId,
    GdtPage,
    LdtPage,
    Mfn,
    PageType,
    TlbKey,
    VcpuId,
    WordId,
)

SAFETY: Registry[MemoryState] = Registry("memory", Kind.SAFETY)
invariant = SAFETY.invariant


def is_table(kind: PageType) -> bool:
    """Return whether a type is one of the page-table types."""
    return (kind >= L1) & (kind <= L4)


def current(s: MemoryState, k: TlbKey) -> bool:
    """Return whether a cached translation is there and its CPU was not flushed since."""
    x = s.tlb[k]
    return both(x.valid, lambda: x.epoch == s.cpus[k[0]].epoch)


# --- Entries ----------------------------------------------------------------------------------------------


@invariant(property=1, advisories=(148, 182))
def writable_entry_targets_writable_frame(s: MemoryState, e: EntryId) -> bool:
    """A writable entry of an L1 table maps a frame of type writable, so no page table and no descriptors."""
    row = s.entries[e]
    return implies(
        row.linked & row.backed & (row.linked_as == 1) & row.writable,
        lambda: s.frames[row.target].type == WRITABLE,
    )


@invariant(property=2, advisories=(182, 234))
def writable_mapping_is_authorised(s: MemoryState, e: EntryId) -> bool:
    """Memory is mapped writable by its owner's tables, by a grant to write, or by the control domain."""
    row = s.entries[e]
    return implies(
        row.linked & row.backed & (row.linked_as == 1) & row.writable,
        lambda: either(
            s.frames[row.target].owner == s.frames[e[0]].owner,
            lambda: s.domains[s.authors[e].domain].privileged | s.granted[e].writable,
        ),
    )


@invariant(property=3, advisories=(248,))
def mapping_is_authorised(s: MemoryState, e: EntryId) -> bool:
    """Memory is mapped at all by its owner's tables, by a live grant, or by the control domain."""
    row = s.entries[e]
    return implies(
        row.linked & row.backed & (row.linked_as == 1),
        lambda: either(
            s.frames[row.target].owner == s.frames[e[0]].owner,
            lambda: s.domains[s.authors[e].domain].privileged | s.granted[e].readable | s.granted[e].writable,
        ),
    )


@invariant(property=(2, 3), advisories=(32,))
def unbacked_mapping_is_permitted_io(s: MemoryState, e: EntryId) -> bool:
    """An L1 entry without a reference maps device memory that its table's owner may map, and may map so."""
    row = s.entries[e]
    return implies(
        row.linked & Not(row.backed) & (row.linked_as == 1),
        lambda: (
            s.frames[row.target].mappable_io
            & s.domains[s.frames[e[0]].owner].io_rights
            & Not(row.writable & s.frames[row.target].readonly_io)
        ),
    )


@invariant(property=7, advisories=(32, 252))
def mapped_frame_has_an_owner(s: MemoryState, e: EntryId) -> bool:
    """What an entry maps or links was not freed: it belongs to somebody."""
    row = s.entries[e]
    return implies(row.linked & row.backed, lambda: s.frames[row.target].owner != DOMID_INVALID)


@invariant(property=4, advisories=(148, 182, 299))
def table_entry_links_the_level_below(s: MemoryState, e: EntryId) -> bool:
    """An entry of an L2, L3 or L4 table links a validated table of the level below and of the same owner."""
    row = s.entries[e]
    return implies(
        row.linked & row.backed & (row.linked_as > 1) & Not(row.linear),
        lambda: (
            (s.frames[row.target].type == row.linked_as - 1)
            & s.frames[row.target].validated
            & (s.frames[row.target].owner == s.frames[e[0]].owner)
        ),
    )


@invariant(property=4, advisories=(182, 240))
def linear_entry_links_its_own_level_read_only(s: MemoryState, e: EntryId) -> bool:
    """A linear entry links, read-only, another validated table of its own level and owner."""
    row = s.entries[e]
    return implies(
        row.linked & row.linear,
        lambda: (
            (row.linked_as > 1)
            & Not(row.writable)
            & row.backed
            & (row.target != e[0])
            & (s.frames[row.target].type == row.linked_as)
            & s.frames[row.target].validated
            & (s.frames[row.target].owner == s.frames[e[0]].owner)
        ),
    )


@invariant(property=4, advisories=(182, 240))
def unbacked_link_is_to_itself_read_only(s: MemoryState, e: EntryId) -> bool:
    """An entry of a table above L1 that holds no reference links, read-only, the table that it is in."""
    row = s.entries[e]
    return implies(
        row.linked & Not(row.backed) & (row.linked_as > 1),
        lambda: (row.target == e[0]) & Not(row.writable),
    )


@invariant(property=5, advisories=(299,))
def linked_entry_is_of_a_table_of_its_level(s: MemoryState, e: EntryId) -> bool:
    """A table keeps the level at which its entries were linked as long as one of them is."""
    row = s.entries[e]
    return implies(row.linked, lambda: is_table(s.frames[e[0]].type) & (s.frames[e[0]].type == row.linked_as))


@invariant(property=(1, 2, 4), advisories=(148,))
def linked_entry_names_one_frame(s: MemoryState, e: EntryId) -> bool:
    """An entry above L1 that is linked names a table: it does not map two megabytes or more at once."""
    row = s.entries[e]
    return implies(row.linked & (row.linked_as > 1), lambda: Not(s.pte.large(s.words[e])))


@invariant(property=10)
def no_entry_is_linked_in_xens_slots(s: MemoryState, e: EntryId) -> bool:
    """The slots of a table that belong to Xen hold no entry of the guest."""
    row = s.entries[e]
    return implies(
        row.linked & (row.linked_as == s.pte.xen_level),
        lambda: either(
            (e[1] < s.pte.xen_first) | (e[1] >= s.pte.xen_end),
            lambda: Not(s.pte.xen_in_each | s.frames[e[0]].top_l2),
        ),
    )


# --- Frames -----------------------------------------------------------------------------------------------


@invariant(property=5)
def frame_without_a_type_is_not_in_use(s: MemoryState, f: Mfn) -> bool:
    """A frame that has no type is held as nothing and validated as nothing."""
    frame = s.frames[f]
    return implies(frame.type == NO_TYPE, lambda: (frame.type_count == 0) & Not(frame.validated))


@invariant(property=5)
def validated_table_is_in_use(s: MemoryState, f: Mfn) -> bool:
    """A page table stays validated only while somebody holds it as one."""
    frame = s.frames[f]
    return implies(frame.validated & is_table(frame.type), lambda: frame.type_count > 0)


@invariant(property=7, advisories=(147, 252))
def owned_frame_is_not_free(s: MemoryState, f: Mfn) -> bool:
    """A frame that belongs to a domain is held by somebody: what nobody holds belongs to nobody."""
    frame = s.frames[f]
    return implies(frame.owner < DOMID_FIRST_RESERVED, lambda: frame.ref_count > 0)


@invariant(property=7, advisories=(147, 248))
def ownerless_frame_is_unused(s: MemoryState, f: Mfn) -> bool:
    """A frame that belongs to nobody is held by nobody and used as nothing."""
    frame = s.frames[f]
    return implies(
        frame.owner == DOMID_INVALID,
        lambda: (
            (frame.ref_count == 0)
            & (frame.type_count == 0)
            & (frame.type == NO_TYPE)
            & Not(frame.allocated)
            & Not(frame.validated)
            & Not(frame.pinned)
        ),
    )


@invariant(property=7, advisories=(100,))
def unscrubbed_frame_is_free(s: MemoryState, f: Mfn) -> bool:
    """A frame with an earlier owner's data is held by nobody, so that nobody reads them."""
    frame = s.frames[f]
    return implies(frame.dirty, lambda: frame.ref_count == 0)


@invariant(property=4, advisories=(252,))
def pinned_frame_is_a_validated_table(s: MemoryState, f: Mfn) -> bool:
    """A pin keeps a validated page table."""
    frame = s.frames[f]
    return implies(frame.pinned, lambda: is_table(frame.type) & frame.validated)


# --- Virtual CPUs -----------------------------------------------------------------------------------------


def _is_top_table(s: MemoryState, f: Mfn, v: VcpuId) -> bool:
    """The frame is a validated top-level table of the vCPU's domain."""
    frame = s.frames[f]
    return (frame.type == s.pte.levels) & frame.validated & (frame.owner == s.vcpus[v].domain)


@invariant(property=4)
def kernel_base_is_a_top_level_table(s: MemoryState, v: VcpuId) -> bool:
    """The base pointer of a vCPU's kernel is a validated top-level table of its domain."""
    return implies(s.vcpus[v].base != NO_FRAME, lambda: _is_top_table(s, s.vcpus[v].base, v))


@invariant(property=4)
def user_base_is_a_top_level_table(s: MemoryState, v: VcpuId) -> bool:
    """The base pointer of a vCPU's user mode is a validated top-level table of its domain."""
    return implies(s.vcpus[v].user_base != NO_FRAME, lambda: _is_top_table(s, s.vcpus[v].user_base, v))


# --- Descriptors ------------------------------------------------------------------------------------------


def _is_descriptors(s: MemoryState, f: Mfn, v: VcpuId) -> bool:
    """The frame is a validated page of descriptors of the vCPU's domain."""
    frame = s.frames[f]
    return (frame.type == SEG) & frame.validated & (frame.owner == s.vcpus[v].domain)


@invariant(property=9)
def gdt_page_is_of_the_descriptor_type(s: MemoryState, p: GdtPage) -> bool:
    """A page of a GDT is a validated descriptor page of its vCPU's domain."""
    return implies(s.gdt[p].frame != NO_FRAME, lambda: _is_descriptors(s, s.gdt[p].frame, VcpuId(p[0])))


@invariant(property=9)
def ldt_page_is_of_the_descriptor_type(s: MemoryState, p: LdtPage) -> bool:
    """A page of an LDT shadow is a validated descriptor page of its vCPU's domain."""
    return implies(s.ldt[p].frame != NO_FRAME, lambda: _is_descriptors(s, s.ldt[p].frame, VcpuId(p[0])))


@invariant(property=9)
def harmful_word_is_in_no_descriptor_page(s: MemoryState, w: WordId) -> bool:
    """A word that would be a harmful descriptor is in no validated descriptor page."""
    return implies(
        Not(s.segments.harmless(s.words[w])),
        lambda: (s.frames[w[0]].type != SEG) | Not(s.frames[w[0]].validated),
    )


# --- Cached translations ----------------------------------------------------------------------------------


@invariant(property=(1, 8), advisories=(241, 401, 299))
def cached_writable_translation_reaches_no_table(s: MemoryState, k: TlbKey) -> bool:
    """No processor writes a validated page table or descriptor page, the control domain apart."""
    x = s.tlb[k]
    return implies(
        current(s, k) & x.writable,
        lambda: either(
            (s.frames[x.frame].type == WRITABLE) | Not(s.frames[x.frame].validated),
            lambda: x.foreign,
        ),
    )


@invariant(property=(2, 3, 8), advisories=(217,))
def cached_translation_stays_with_its_owner(s: MemoryState, k: TlbKey) -> bool:
    """No processor reaches a frame that has come to another domain, the control domain apart."""
    x = s.tlb[k]
    return implies(
        current(s, k),
        lambda: either(
            s.frames[x.frame].owner == x.domain,
            lambda: _is_free(s, x) | x.foreign,
        ),
    )


def _is_free(s: MemoryState, x: TranslationRow) -> bool:
    return s.frames[x.frame].ref_count == 0
