"""Trapped writes: a guest's direct store to an L1 entry that it maps read-only.

The line has no vCPU; it belongs to that of the call before it, or else, where several run, to that of a call
near by, which is assumed. Judged are where the store goes (by a walk from the vCPU's base pointer), the entry
before it and the entry after it, but for accessed and dirty.
"""

from typing import TYPE_CHECKING

from xenmodel.abi.pte import ACCESSED_DIRTY, target
from xenmodel.hardware.walk import walk
from xenmodel.hypercall import Call, run
from xenmodel.memory.rows import NO_FRAME
from xenmodel.memory.trapped import trapped_write
from xenmodel.step import Refused
from xenproofs.judge.replay.answers import UNANSWERED, given_up
from xenproofs.judge.trace import TrappedWrite
from xenspec.vocabulary import PAGE_SIZE, DomId, Mfn, VcpuId

if TYPE_CHECKING:
    from xenproofs.judge.replay.engine import Replay

WORD_BYTES = 8


ANOTHER = "vCPU of a trapped write that is not the one of the call before it"


def play(replay: "Replay", line: TrappedWrite) -> None:
    """Play one trapped write."""
    table, slot = Mfn(line.store_maddr // PAGE_SIZE), line.store_maddr % PAGE_SIZE // WORD_BYTES
    vcpus = [VcpuId((0, n)) for n in range(replay.machine.domains[0].vcpus)]
    vcpus.sort(key=lambda v: v[1] != replay.last_vcpu)
    v = next((v for v in vcpus if _leads_to(replay, v, line, table)), vcpus[0])
    x = replay.call_of(v)
    replay.stores.expect(())
    expected = f"{line.pre & ~ACCESSED_DIRTY:#x} becomes {line.post & ~ACCESSED_DIRTY:#x}"
    if not _leads_to(replay, v, line, table) or slot != line.va % PAGE_SIZE // WORD_BYTES:
        got = "the address does not lead there"
    else:
        replay.report.assumed.update([ANOTHER] * (v != vcpus[0]))
        replay.drive(walk(x, replay.machine.vcpus[v].base, line.va))
        got = _store(replay, x, line, (table, slot))
    replay.report.trapped.count(agrees=got == expected)
    if got != expected:
        replay.differ(line, f"@ptwr to L1 {table:#x}[{slot}]", expected, got, "")
    replay.noticed(x)
    if replay.after_call is not None:
        replay.after_call(line)


def _leads_to(replay: "Replay", v: VcpuId, line: TrappedWrite, table: Mfn) -> bool:
    """Whether the address leads to the table where a vCPU runs; nothing is marked as used."""
    base = replay.machine.vcpus[v].base
    if base == NO_FRAME:
        return False
    found = run(walk(Call(replay.machine, v, DomId(v[0])), base, line.va, mark=False))
    return found is not None and target(found.word) == table


def _store(replay: "Replay", x: Call, line: TrappedWrite, place: tuple[Mfn, int]) -> str:
    """Let the model store the word; return what became of the entry, as text."""
    words = replay.machine.words
    before = words[place]
    try:
        replay.drive(trapped_write(x, *place, new_word(line, before)))
    except Refused as refusal:
        return f"a fault ({refusal.guard})"
    except UNANSWERED as ending:
        replay.broken = True
        return given_up(ending)
    return f"{before & ~ACCESSED_DIRTY:#x} becomes {words[place] & ~ACCESSED_DIRTY:#x}"


def new_word(line: TrappedWrite, before: int) -> int:
    """Return the word that the guest's store makes: the whole word, or some bytes of the old one replaced."""
    if line.bytes == WORD_BYTES:
        return line.new
    shift = line.maddr % WORD_BYTES * 8
    mask = ((1 << line.bytes * 8) - 1) << shift
    return before & ~mask | line.new << shift & mask
