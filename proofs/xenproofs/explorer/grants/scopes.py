"""Scopes of grants by name: each looks at one thing that grants may do, and visits all of it."""

from typing import Final

from xenmodel.abi.grant import DEVICE_MAP, HOST_MAP, READONLY
from xenproofs.explorer.grants.world import C0, G0, M0, M1, READ, S0, WRITE, GrantScope

BOTH: Final = HOST_MAP | DEVICE_MAP
GRANTS: Final = (G0, ("entries",))
MAPS: Final = (M0, ("map", "unmap"))
MAPS_BY_ENTRY: Final = ("map by entry", "unmap by entry")

MAPS_ASTRAY: Final = (M0, ("map", "unmap", "map astray"))
MAPS_AND_COPIES: Final = (M0, ("map", "unmap", "copy"))
FOR_EITHER: Final = (G0, ("entries for either",))
EITHER: Final = (MAPS, (S0, ("map", "unmap")), FOR_EITHER)
FOREIGN: Final = (G0, ("entries", "foreign entries"))

LIST: Final[tuple[GrantScope, ...]] = (
    GrantScope("map", (MAPS, GRANTS), frames=2),
    GrantScope("two", (MAPS, GRANTS), refs=(0, 1), slots=2, flags=(WRITE,)),
    GrantScope("by entry", ((M0, (*MAPS_BY_ENTRY, "overwrite")), FOREIGN), slots=2),
    GrantScope(
        "devices",
        ((M0, ("map", "unmap", "unmap devices", "unmap both")), (G0, ("entries", "foreign entries", "pin"))),
        flags=(WRITE, BOTH, BOTH | READONLY, DEVICE_MAP),
    ),
    GrantScope("own", (MAPS_ASTRAY, (G0, ("entries", "entries to itself", "map for devices")))),
    GrantScope("replace", ((M0, ("map", "unmap", "replace")), GRANTS), slots=2),
    GrantScope("copy", (MAPS_AND_COPIES, (G0, ("entries", "foreign entries", "pin")))),
    GrantScope("parts", (MAPS_AND_COPIES, (G0, ("entries", "parts"))), version=2),
    GrantScope(
        "transfer", ((M0, ("map", "unmap", "accept", "transfer")), (G0, ("entries", "accept", "transfer")))
    ),
    GrantScope("layout", (MAPS, (G0, ("entries", "versions"))), refs=(0, 300), flags=(WRITE,)),
    GrantScope("cached", ((M0, ("map", "unmap", "overwrite", "fill")), GRANTS), cached=True),
    GrantScope("death", ((M0, ("map", "unmap", "overwrite")), GRANTS, (C0, ("destroy",)))),
    GrantScope(
        "death of devices",
        ((M0, ("map", "unmap", "unmap devices")), GRANTS, (C0, ("destroy",))),
        flags=(BOTH, READ),
    ),
    GrantScope("either", EITHER),
    GrantScope("two for either", EITHER, refs=(0, 1), flags=(WRITE,), handles=1),
    GrantScope(
        "either dies",
        (*EITHER, (C0, ("destroy any",))),
        flags=(WRITE,),
        handles=1,
    ),
    GrantScope(
        "either cached",
        ((M0, ("map", "unmap", "fill")), (S0, ("map", "unmap", "fill")), FOR_EITHER),
        flags=(WRITE,),
        handles=1,
        cached=True,
    ),
    GrantScope("paused", (MAPS, GRANTS, (M1, ("map", "unmap"))), paused=True, flags=(WRITE,), handles=2),
    GrantScope("paused either", EITHER, paused=True, awake=3, flags=(WRITE,)),
    GrantScope(
        "paused copy",
        ((M0, ("copy",)), (G0, ("entries", "pin")), (C0, ("destroy the granter",))),
        paused=True,
    ),
    GrantScope(
        "paused death",
        (MAPS, GRANTS, (C0, ("destroy the granter",))),
        paused=True,
        flags=(WRITE,),
        handles=1,
    ),
    GrantScope(
        "paused layout",
        ((G0, ("versions", "entries")), MAPS),
        paused=True,
        refs=(300,),
        flags=(WRITE,),
        handles=1,
    ),
    GrantScope(
        "paused parts",
        ((M0, ("copy",)), (G0, ("parts",)), (M1, ("map", "unmap"))),
        paused=True,
        version=2,
        handles=1,
    ),
    GrantScope(
        "paused transfer",
        ((G0, ("transfer", "entries")), (M0, ("accept", "map", "unmap"))),
        paused=True,
        flags=(WRITE,),
        handles=1,
    ),
    GrantScope(
        "interleaved",
        ((M0, MAPS_BY_ENTRY), (M1, MAPS_BY_ENTRY), GRANTS),
        interleaved=True,
        flags=(WRITE,),
        handles=1,
    ),
)
SCOPES: Final[dict[str, GrantScope]] = {scope.name: scope for scope in LIST}
"""The scopes by name; those with a depth are bounded, the others complete."""

EXPLORED: Final[dict[str, tuple[str, int]]] = {
    "grant_dropped_before_the_flush": ("cached", 4),
    "grant_unpinned_before_the_unmap": ("map", 3),
    "grant_handle_reused": ("map", 3),
    "grant_handle_freed_by_halves": ("devices", 3),
    "grant_mapped_writable_to_read": ("map", 2),
    "grant_entry_read_again": ("map", 4),
    "grant_of_another_domain": ("own", 3),
    "grant_of_a_foreign_frame": ("devices", 2),
    "grant_device_type_forgotten": ("devices", 2),
    "grant_copy_stays_pinned": ("copy", 2),
    "grant_failed_map_stays_pinned": ("own", 2),
    "grant_transfer_of_a_mapped_frame": ("transfer", 3),
    "grant_layout_changed_in_use": ("layout", 3),
    "grant_part_mapped_whole": ("paused parts", 3),
    "grant_kept_by_the_dead": ("death", 3),
    "grant_of_devices_kept_by_the_dead": ("death of devices", 3),
}
"""Where each planted fault is looked for, and the length of its shortest story there."""
