"""Names and places of a small world of grants: who is who, which frame is what, which slot an address is."""

from collections.abc import Callable
from typing import Final

from xenmodel.hypercall import Call
from xenspec.vocabulary import DOMID_INVALID, DomId, Mfn, Va

CONTROL, GRANTER, MAPPER, SECOND = DomId(0), DomId(1), DomId(2), DomId(3)
"""A control domain without frames, one that grants its own, and two that map them (one in most scopes)."""
FRAMES: Final = 0x140
FIRST: Final = 0x100
STRIDE: Final = 0x10
"""Frame numbers of a domain start at FIRST + STRIDE times its number."""
TABLES: Final = (8, 9, 10, 11)
"""Roles of the mapping domain's tables, level 4 first."""
L1_TABLE, GRANTS, STATUS = 11, 12, 13
"""Roles: its table of level 1, the page of a grant table, and its page of status."""
ROLES: Final = {8: "l4", 9: "l3", 10: "l2", 11: "l1", 12: "grants", 13: "status"}
BOOT_SLOT: Final = 272
"""The L4 slot under which the mapping domain's tables map."""


def frame(domain: DomId, role: int) -> Mfn:
    """Return a domain's frame by its role."""
    return Mfn(FIRST + STRIDE * domain + role)


def data(domain: DomId, number: int) -> Mfn:
    """Return a domain's frame that is none of its tables."""
    return frame(domain, number)


def frames_of(_: DomId) -> list[Mfn]:
    """Return all frames that a domain may have, those that its peer may hand over included."""
    return [frame(one, role) for one in (GRANTER, MAPPER, SECOND) for role in range(STRIDE)]


def frame_name(f: int) -> str:
    """Return a frame's role."""
    domain, role = divmod(f - FIRST, STRIDE)
    return f"dom{domain}.{ROLES.get(role, f'f{role}')}"


def address(slot: int) -> Va:
    """Return the address that a slot of the L1 table maps."""
    return Va(0xFFFF << 48 | BOOT_SLOT << 39 | slot << 12)


ASTRAY: Final = Va(0xFFFF << 48 | BOOT_SLOT << 39 | 1 << 21)
"""An address without an L1 table."""


def heap_of(x: Call) -> Callable[[], Mfn | None]:
    """Return an allocator that has one page, for the status of the caller's grant table."""
    f = frame(x.domain, STATUS)

    def choose() -> Mfn | None:
        row = x.m.frames[f]
        return f if row.ref_count == 0 and row.owner == DOMID_INVALID else None

    return choose
