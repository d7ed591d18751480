"""The sorts of keys and words, the kinds over which formulas quantify, and the named constants of each sort.

Frames, virtual CPUs, flights and words are uninterpreted: a proof about them holds for any number of them.
Domain numbers, slots, CPUs, pages and counts are mathematical integers.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from xenproofs.symbolic.terms import INT, Sort, Symbol, Term, symbol

FRAME: Final = Sort("Frame", declared=True)
VCPU: Final = Sort("Vcpu", declared=True)
FLIGHT: Final = Sort("Flight", declared=True)
WORD: Final = Sort("Word", declared=True)
REF: Final = Sort("Ref")

NO_FRAME: Final = symbol("no_frame", FRAME)
ZERO: Final = symbol("zero_word", WORD)
CONSTANTS: Final[dict[Sort, dict[int, Term]]] = {FRAME: {-1: NO_FRAME}, WORD: {0: ZERO}}
"""The only Python numbers that stand for a value of an uninterpreted sort."""


FLIGHT_VCPU: Final = Symbol("flight_vcpu", (FLIGHT,), VCPU)
"""The virtual CPU that a flight belongs to."""
MADE_VCPU: Final = Symbol("vcpu_of", (INT, INT), VCPU)
"""The virtual CPU of a domain and a number."""
PARTS: Final = {
    (FLIGHT, 0): FLIGHT_VCPU,
    (VCPU, 0): Symbol("vcpu_domain", (VCPU,), INT),
    (VCPU, 1): Symbol("vcpu_number", (VCPU,), INT),
}
"""The parts of a key that steps may ask for."""


@dataclass(frozen=True, slots=True)
class Kind:
    """What a variable ranges over: a sort, and in a finite instance a universe of its own."""

    name: str
    sort: Sort


K_FRAME: Final = Kind("frame", FRAME)
K_VCPU: Final = Kind("vcpu", VCPU)
K_FLIGHT: Final = Kind("flight", FLIGHT)
K_WORD: Final = Kind("word", WORD)
K_REF: Final = Kind("ref", REF)
K_DOMAIN: Final = Kind("domain", INT)
K_SLOT: Final = Kind("slot", INT)
K_CPU: Final = Kind("cpu", INT)
K_PAGE: Final = Kind("page", INT)
K_LEVEL: Final = Kind("level", INT)
"""The level at which a walk reads a table."""
K_PREFIX: Final = Kind("prefix", INT)
"""A range of addresses."""
K_INDEX: Final = Kind("index", INT)
K_WHICH: Final = Kind("which", INT)
"""Which of a vCPU's base pointers: 0 kernel, 1 user."""
K_PORT: Final = Kind("port", INT)
K_BANK: Final = Kind("bank", INT)
"""A word of ports under a selector bit."""
K_PRIORITY: Final = Kind("priority", INT)
K_VIRQ: Final = Kind("virq", INT)
K_PIRQ: Final = Kind("pirq", INT)
K_GRANT: Final = Kind("grant", INT)
"""The number of an entry of a grant table."""
K_HANDLE: Final = Kind("handle", INT)
K_PLACE: Final = Kind("place", INT)
"""The place of an unmapping in its batch."""
K_SIDE: Final = Kind("side", INT)
"""Of a copy: 0 source, 1 destination."""
K_NUMBER: Final = Kind("number", INT)
"""A plain number that nothing quantifies over."""

REF_DATATYPE: Final = (
    "(declare-datatypes ((Ref 0)) (("
    "(r_entry (e_table Frame) (e_slot Int)) (r_pin (pin_of Frame)) (r_base (base_of Vcpu) (base_which Int)) "
    "(r_old (old_of Vcpu)) (r_partial (partial_of Frame)) (r_gdt (gdt_of Vcpu) (gdt_index Int)) "
    "(r_ldt (ldt_of Vcpu) (ldt_index Int)) (r_vcpu_info (info_of Vcpu)) "
    "(r_event_frame (event_of Int) (event_index Int)) (r_eoi_frame (eoi_of Int)) "
    "(r_device_map (device_map_of Int) (device_map_handle Int)) "
    "(r_unmapped_host (host_of Vcpu) (host_place Int)) "
    "(r_unmapped_device (device_of Vcpu) (device_place Int)) "
    "(r_copy_side (copy_of Vcpu) (copy_number Int)) "
    "(r_grant_frame (grant_of Int) (grant_index Int)) (r_status_frame (status_of Int) (status_index Int)) "
    "(r_allocated (allocation_of Frame)) (r_flight (flight_of Flight)) (r_other (other_number Int)))))"
)
"""Holders of references, as xenmodel.memory.holders names them, in SMT-LIB."""
REF_SORTS: Final = (FRAME, VCPU, FLIGHT)
"""What the declaration of `Ref` needs declared before."""
VCPU_DATATYPE: Final = "(declare-datatypes ((Vcpu 0)) (((vcpu_of (vcpu_domain Int) (vcpu_number Int)))))"
"""A virtual CPU is a domain and a number, no more: what proofs about event channels know of it."""
VCPU_NAMES: Final = frozenset({"Vcpu", "vcpu_of", "vcpu_domain", "vcpu_number"})
