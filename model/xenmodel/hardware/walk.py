"""The page walk, as the processor does it over the raw words of the tables (Intel SDM volume 3, 4.5).

A walk ANDs the permissions of its levels and sets the accessed bit of each present upper entry it passes,
the leaf's only on success (oracle rule 17). Xen keeps its own range out of a guest's reach.
"""

from dataclasses import dataclass

from xenmodel.hypercall import Call, Steps
from xenmodel.machine import Machine
from xenmodel.memory.linking import is_guest_slot
from xenmodel.step import require, step
from xenspec.logic import Not
from xenspec.vocabulary import EAGAIN, EINVAL, Mfn, Va


@step("words.word")
def mark_used(m: Machine, t: Mfn, slot: int, *, dirty: bool) -> None:
    """Set the accessed (and dirty) bit of a present entry of a table, as the processor does."""
    require("the slot exists", (slot >= 0) & (slot < m.pte.slots), EINVAL)
    word = m.words[t, slot]
    require("the entry is present", m.pte.present(word), EAGAIN)
    require(
        "it is a table's: linked, or Xen's own",
        m.entries[t, slot].linked | Not(is_guest_slot(m, m.frames[t], slot)),
        EAGAIN,
    )
    m.words[t, slot] = m.pte.marked(word, dirty=dirty)


@dataclass(frozen=True, slots=True)
class Translation:
    """Where a walk ended: the leaf table and slot, its word, and the permissions of the whole path."""

    table: Mfn
    slot: int
    word: int
    writable: bool
    user: bool
    upper_writable: bool
    """The permission of the levels above the leaf."""


def walk(x: Call, base: Mfn, va: Va, *, mark: bool = True) -> Steps[Translation | None]:
    """Walk from `base`; return where the leaf entry stands, or nothing if an upper level is absent."""
    m = x.m
    table = base
    writable = user = True
    pte = m.pte
    slots = pte.indices(va)
    for slot in slots[:-1]:
        word = m.words[table, slot]
        if not pte.present(word):
            return None
        if mark and not pte.accessed(word):
            mark_used(m, table, slot, dirty=False)
            yield mark_used
        writable = writable and pte.writable(word)
        user = user and pte.user(word)
        table = pte.target(word)
    leaf = m.words[table, slots[-1]]
    return Translation(
        table, slots[-1], leaf, writable and pte.writable(leaf), user and pte.user(leaf), writable
    )


def l1_table_of(x: Call, va: Va) -> Steps[Mfn | None]:
    """Return the frame that the vCPU's L2 entry for `va` names, as Xen reads it (map_guest_l1e).

    Xen reads the L2 entry through its linear map, so that the entries above it are marked accessed.
    """
    m = x.m
    pte = m.pte
    if not pte.guest_address(va):
        return None
    table = m.vcpus[x.vcpu].base
    slots = pte.indices(va)
    for slot in slots[:-2]:
        word = m.words[table, slot]
        if not pte.present(word):
            return None
        if not pte.accessed(word):
            mark_used(m, table, slot, dirty=False)
            yield mark_used
        table = pte.target(word)
    word = m.words[table, slots[-2]]
    if not pte.present(word):
        return None
    return pte.target(word)
