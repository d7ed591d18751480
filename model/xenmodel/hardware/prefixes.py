"""Paging-structure caches: the upper parts of walks that a processor remembers (Intel SDM volume 3, 4.10.3).

A *prefix* says at which table a walk to some range of addresses goes on, and what the words above it allow.
The processor may fill, use and forget one at any moment, so that these steps are the adversary's. A walk
that begins at a prefix reads the words that are *now* in the table that it names, even if nothing links the
table any more: its last link may be gone, it may be demoted, retyped, free. What keeps that harmless is the
flush that comes before such a frame holds other words (see xenmodel.hardware.representation).

A prefix is keyed by the CPU, the level at which its table is read, and the range of addresses. By a link of a
table to its own level, or to itself, a table is read at a lower level than that of its type.

A load of CR3 and INVLPG drop all prefixes of a CPU (4.10.4.1), whatever the address. Prefixes that lead
through Xen's own slots are not modelled: Xen's tables, which they lead to, are none of a guest's.
"""

from xenmodel.hardware.rows import Prefix
from xenmodel.machine import Machine, View
from xenmodel.memory.rows import Demotion
from xenmodel.step import require, step
from xenmodel.views import FrameView
from xenspec.logic import implies, ite
from xenspec.vocabulary import EFAULT, EINVAL, Cpu, EntryId, PageType

WHOLE_PREFIX = (
    "prefixes.valid",
    "prefixes.table",
    "prefixes.writable",
    "prefixes.user",
    "prefixes.epoch",
    "prefixes.loads",
    "prefixes.drops",
    "prefixes.domain",
)


def is_remembered(m: View, cpu: int, k: Prefix) -> bool:
    """Return whether a CPU still has a prefix: neither flushed, nor CR3 loaded, nor INVLPG used since."""
    row = m.cpus[cpu]
    return k.valid & (k.epoch == row.epoch) & (k.loads == row.loads) & (k.drops == row.drops)


def _remember(m: Machine, cpu: Cpu, k: Prefix) -> None:
    """Stamp a prefix with what drops it. Part of a step."""
    row = m.cpus[cpu]
    k.valid = True
    k.epoch = row.epoch
    k.loads = row.loads
    k.drops = row.drops


@step(*WHOLE_PREFIX)
def begin_prefix(  # noqa: PLR0913 - a prefix has so many parts
    m: Machine, cpu: Cpu, level: int, prefix: int, upper: EntryId, *, writable: bool, user: bool
) -> None:
    """Cache a prefix that ends with a linked entry above L1 of the domain that the CPU runs.

    The walk is not repeated here: any such entry may end it, at any level below its own, which allows more
    than the processor does. Write permission needs a writable entry, read at its table's level: a walk
    whose words all allow writing passes one table of each level (a theorem, xenproofs.obligations.walks).
    """
    require("the CPU exists", (cpu >= 0) & (cpu < m.cpu_count), EINVAL)
    domain = m.vcpus[m.cpus[cpu].current].domain
    e = m.entries[upper]
    require("the entry is linked", e.linked, EINVAL)
    table = m.frames[upper[0]]
    require("its table is the domain's, and whole", (table.owner == domain) & table.validated, EINVAL)
    require("the table is read below the entry's", (level >= 1) & (level < e.linked_as), EINVAL)
    require(
        "the entry grants writing",
        implies(writable, lambda: e.writable & (e.linked_as == level + 1)),
        EINVAL,
    )
    k = m.prefixes[cpu, level, prefix]
    _remember(m, cpu, k)
    k.table = e.target
    k.writable = writable
    k.user = user
    k.domain = domain


def _level_of(frame: FrameView, demotion: Demotion) -> PageType:
    """Return what a frame is, or last was, as a table. Part of a step."""
    return ite(frame.validated, frame.type, demotion.demoted_from)


def _require_word(m: Machine, k: Prefix, slot: int) -> int:
    """Return the word that a walk reads next, now; refuse if it ends there. Part of a step."""
    require("the slot exists", (slot >= 0) & (slot < m.pte.slots), EINVAL)
    level = _level_of(m.frames[k.table], m.demotions[k.table])
    require(
        "the slot is the guest's",
        (level != m.pte.xen_level) | (slot < m.pte.xen_first) | (slot >= m.pte.xen_end),
        EINVAL,
    )
    word = m.words[k.table, slot]
    require("the word is present", m.pte.present(word), EFAULT)
    return word


@step(*WHOLE_PREFIX)
def extend_prefix(m: Machine, cpu: Cpu, level: int, prefix: int, slot: int, *, writable: bool) -> None:
    """Cache a longer prefix: walk on from a cached one, stale or not, by the word now in its table."""
    require("the CPU exists", (cpu >= 0) & (cpu < m.cpu_count), EINVAL)
    k = m.prefixes[cpu, level, prefix]
    require("the prefix is cached", is_remembered(m, cpu, k), EFAULT)
    require("its table is read above L1", level > 1, EINVAL)
    word = _require_word(m, k, slot)
    require("the path grants writing", implies(writable, lambda: k.writable & m.pte.writable(word)), EINVAL)
    longer = m.prefixes[cpu, level - 1, prefix * m.pte.slots + slot]
    _remember(m, cpu, longer)
    longer.table = m.pte.target(word)
    longer.writable = writable
    longer.user = k.user & m.pte.user(word)
    longer.domain = k.domain


@step(
    "tlb.valid",
    "tlb.frame",
    "tlb.writable",
    "tlb.user",
    "tlb.is_global",
    "tlb.epoch",
    "tlb.loads",
    "tlb.domain",
    "tlb.foreign",
)
def fill_through(  # noqa: PLR0913 - a translation has so many parts
    m: Machine, cpu: Cpu, prefix: int, slot: int, *, writable: bool, is_global: bool, foreign: bool
) -> None:
    """Cache a translation by a cached prefix, stale or not, and the leaf that is now in its table.

    As in `fill`, what holds no reference (device memory, a table's link to itself) is not cached. `foreign`
    marks another domain's frame that was mapped by the control domain, or by a grant.
    """
    require("the CPU exists", (cpu >= 0) & (cpu < m.cpu_count), EINVAL)
    k = m.prefixes[cpu, 1, prefix]
    require("the prefix is cached", is_remembered(m, cpu, k), EFAULT)
    word = _require_word(m, k, slot)
    require("the entry held a reference", m.entries[k.table, slot].backed, EINVAL)
    require("the path grants writing", implies(writable, lambda: k.writable & m.pte.writable(word)), EINVAL)
    x = m.tlb[cpu, prefix * m.pte.slots + slot]
    x.valid = True
    x.frame = m.pte.target(word)
    x.writable = writable
    x.user = k.user & m.pte.user(word)
    x.is_global = is_global
    x.epoch = k.epoch
    x.loads = k.loads
    x.domain = k.domain
    x.foreign = foreign


@step("words.word")
def mark_through(m: Machine, cpu: Cpu, level: int, prefix: int, slot: int, *, dirty: bool) -> None:
    """Set the accessed (and dirty) bit of the word by which a walk goes on from a cached prefix.

    A processor that stores by a translation whose dirty bit it has not seen set walks again, from whatever
    prefix it has, and sets the bit where that walk ends: possibly in a frame that is no table any more.
    """
    require("the CPU exists", (cpu >= 0) & (cpu < m.cpu_count), EINVAL)
    k = m.prefixes[cpu, level, prefix]
    require("the prefix is cached", is_remembered(m, cpu, k), EFAULT)
    word = _require_word(m, k, slot)
    m.words[k.table, slot] = m.pte.marked(word, dirty=dirty)


@step("prefixes.valid")
def forget_prefix(m: Machine, cpu: Cpu, level: int, prefix: int) -> None:
    """Forget a prefix, as the processor may at any moment."""
    require("the CPU exists", (cpu >= 0) & (cpu < m.cpu_count), EINVAL)
    m.prefixes[cpu, level, prefix].valid = False
