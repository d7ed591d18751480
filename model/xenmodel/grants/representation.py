"""How the model keeps its books of grants: pins are counted right, handles are what they are taken for.

`pins` is a ghost table: the number of uses of each entry, by kind, read off the rows that use it (mappings,
unmappings whose flush is not over, sides of copies), and never moved by the code that moves the real pins.
"""

from typing import Protocol

from xenmodel.abi.grant import GrantFormat
from xenmodel.domains.rows import NamedFrame
from xenmodel.grants.entries import is_pinned
from xenmodel.grants.views import ActiveGrantView, GrantTableView, MappingView
from xenmodel.memory.rows import NO_FRAME
from xenmodel.views import DomainView, FrameView
from xenspec.invariant import Kind, Registry
from xenspec.logic import Not, conj, implies
from xenspec.table import ReadTable
from xenspec.vocabulary import DOMID_FIRST_RESERVED, DomId, GrantFrameId, GrantId, HandleId


class PinsRow(Protocol):
    """How many uses an entry has, by kind. Ghost."""

    @property
    def host_writable(self) -> int: ...  # noqa: D102 - named by its field
    @property
    def host_readonly(self) -> int: ...  # noqa: D102 - named by its field
    @property
    def device_writable(self) -> int: ...  # noqa: D102 - named by its field
    @property
    def device_readonly(self) -> int: ...  # noqa: D102 - named by its field


class State(Protocol):
    """The state that the invariants of this module read."""

    @property
    def grant_tables(self) -> ReadTable[int, GrantTableView]: ...  # noqa: D102 - named by its table
    @property
    def frames(self) -> ReadTable[int, FrameView]: ...  # noqa: D102
    @property
    def grant_frames(self) -> ReadTable[tuple[int, int], NamedFrame]: ...  # noqa: D102
    @property
    def status_frames(self) -> ReadTable[tuple[int, int], NamedFrame]: ...  # noqa: D102
    @property
    def active(self) -> ReadTable[tuple[int, int], ActiveGrantView]: ...  # noqa: D102
    @property
    def mappings(self) -> ReadTable[tuple[int, int], MappingView]: ...  # noqa: D102
    @property
    def domains(self) -> ReadTable[int, DomainView]: ...  # noqa: D102
    @property
    def grants(self) -> GrantFormat: ...  # noqa: D102
    @property
    def pins(self) -> ReadTable[tuple[int, int], PinsRow]: ...  # noqa: D102


REPRESENTATION: Registry[State] = Registry("grants", Kind.REPRESENTATION)
invariant = REPRESENTATION.invariant


@invariant(property=28, advisories=(224,))
def pins_are_the_uses_of_the_entry(s: State, g: GrantId) -> bool:
    """An entry's pins are the mappings, unmappings under way and copies that use it, kind by kind."""
    active, uses = s.active[g], s.pins[g]
    return (
        (active.host_writable == uses.host_writable)
        & (active.host_readonly == uses.host_readonly)
        & (active.device_writable == uses.device_writable)
        & (active.device_readonly == uses.device_readonly)
    )


@invariant(property=28)
def entry_in_use_exists(s: State, g: GrantId) -> bool:
    """An entry that is in use is one of its table, whatever the table's layout has become."""
    table = s.grant_tables[DomId(g[0])]
    return implies(
        is_pinned(s.active[g]),
        lambda: (g[1] >= 0) & (g[1] < s.grants.entries(table.version, table.frames)),
    )


@invariant(property=28)
def part_of_a_page_is_granted_by_the_new_layout(s: State, g: GrantId) -> bool:
    """An entry in use for a part of its page is of a table whose layout has such entries."""
    return implies(
        is_pinned(s.active[g]) & s.active[g].sub_page,
        lambda: s.grant_tables[DomId(g[0])].version != 1,
    )


@invariant(property=28)
def what_is_passed_on_is_never_the_whole(s: State, g: GrantId) -> bool:
    """An entry in use that passes a grant on counts as one for a part of a page: nothing maps by it."""
    active = s.active[g]
    own = (active.trans_domain == g[0]) & (active.trans_ref == g[1])
    return implies(is_pinned(active) & Not(active.sub_page), lambda: own)


@invariant(property=28)
def handle_in_use_exists(s: State, h: HandleId) -> bool:
    """A handle that is handed out is one of those that there are."""
    return implies(s.mappings[h].taken, lambda: (h[1] >= 0) & (h[1] < s.grant_tables[DomId(h[0])].handles))


@invariant(property=28)
def handle_in_use_maps_something(s: State, h: HandleId) -> bool:
    """A handle that is handed out is for processors, for devices, or for both."""
    row = s.mappings[h]
    return implies(row.taken, lambda: row.host | row.device)


@invariant(property=28)
def free_handle_names_nothing(s: State, h: HandleId) -> bool:
    """A handle that is not handed out maps nothing."""
    row = s.mappings[h]
    return implies(
        Not(row.taken),
        lambda: Not(row.live) & Not(row.host) & Not(row.device) & (row.frame == NO_FRAME),
    )


@invariant(property=(1, 28))
def pages_of_a_table_are_xens_own(s: State, p: GrantFrameId) -> bool:
    """The pages of a grant table and of its status are Xen's own: no guest can give them up."""
    table, status = s.grant_frames[p].frame, s.status_frames[p].frame
    return conj(
        implies(table != NO_FRAME, lambda: s.frames[table].special),
        implies(status != NO_FRAME, lambda: s.frames[status].special),
    )


@invariant(property=(28, 32))
def table_of_the_second_layout_is_of_whom_there_is(s: State, d: DomId) -> bool:
    """A domain that does not exist has a table of the first layout, with which one of its number begins."""
    return implies(
        Not(s.domains[d].exists) & (d >= 0) & (d < DOMID_FIRST_RESERVED),
        lambda: s.grant_tables[d].version == 1,
    )
