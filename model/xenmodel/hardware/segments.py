"""Loading a data segment register, as ring 3 does it (Intel SDM volume 3, 5.6; oracle rule 12).

The GDT is in place since it was set; its pages that nobody set are zero. A page of the LDT is looked at when
a selector first needs it, and a page that cannot be one is a page fault at the descriptor's linear address.
"""

from xenmodel.abi import descriptor
from xenmodel.hardware.access import GENERAL_PROTECTION, PAGE_FAULT, Fault
from xenmodel.hypercall import Call, Steps
from xenmodel.machine import Machine
from xenmodel.memory.descriptors import map_ldt_page
from xenmodel.memory.rows import NO_FRAME
from xenmodel.step import require, step
from xenspec.vocabulary import EAGAIN, EINVAL, SLOTS, VcpuId

NOT_PRESENT = 11


@step("words.word")
def mark_descriptor(m: Machine, v: VcpuId, index: int, slot: int, *, local: bool) -> None:
    """Set the accessed bit of a descriptor in page `index` of the LDT (`local`) or the GDT."""
    frame = m.ldt[v, index].frame if local else m.gdt[v, index].frame
    require("the page is in place", frame != NO_FRAME, EAGAIN)
    require("the slot exists", (slot >= 0) & (slot < SLOTS), EINVAL)
    word = m.words[frame, slot]
    require("ring 3 may load the descriptor", m.descriptors.loadable(word), EAGAIN)
    m.words[frame, slot] = m.descriptors.used(word)


def load_selector(x: Call, selector: int) -> Steps[Fault | None]:
    """Load a data segment register; return the exception that it meets, if any."""
    refused = Fault(GENERAL_PROTECTION, selector & ~descriptor.RING_3)
    local = selector & descriptor.TABLE_INDICATOR != 0
    number = selector >> 3
    if not local and (number == 0 or number >= descriptor.FIRST_RESERVED_GDT_ENTRY):
        allowed = number == 0 or descriptor.in_ring_3(selector) in descriptor.FLAT_RING3
        return None if allowed else refused
    if local and number >= x.m.vcpus[x.vcpu].ldt_entries:
        return refused
    if local and not (yield from map_ldt_page(x, number * descriptor.DESCRIPTOR_BYTES)):
        return Fault(PAGE_FAULT, 0, x.m.vcpus[x.vcpu].ldt_base + number * descriptor.DESCRIPTOR_BYTES)
    index, slot = number // SLOTS, number % SLOTS
    frame = (x.m.ldt if local else x.m.gdt)[x.vcpu, index].frame
    if frame == NO_FRAME or not descriptor.loadable(x.m.words[frame, slot]):
        return refused
    if not descriptor.present(x.m.words[frame, slot]):
        return Fault(NOT_PRESENT, refused.error)
    if descriptor.used(x.m.words[frame, slot]) != x.m.words[frame, slot]:
        mark_descriptor(x.m, x.vcpu, index, slot, local=local)
        yield mark_descriptor
    return None
