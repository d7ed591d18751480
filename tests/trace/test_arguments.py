"""Arguments of hypercalls: what real lines decode to, field by field."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

import pytest

from tests.trace import samples
from tests.trace.samples import EXCERPT, boot, calls, hypercall, recording
from xenproofs.judge.trace import (
    Call,
    ExtCmd,
    MemoryExchange,
    MmuextOp,
    MmuUpdate,
    Multicall,
    OtherArgs,
    PhysdevOp,
    PopulatePhysmap,
    RecordedContext,
    RegisterVcpuInfo,
    SchedOp,
    TrappedWrite,
    Unknown,
    Validate,
    VcpuInitialise,
    read_recording,
)
from xenspec.errors import BadInput
from xenspec.vocabulary import PageType

if TYPE_CHECKING:
    from pathlib import Path

    from xenproofs.judge.trace import Args


def decoded(folder: Path, op: str, args: samples.Json, ret: int = 0) -> Args:
    line = next(iter(calls(read_recording(recording(folder, [hypercall(1, op=op, args=args, ret=ret)])))))
    return line.args


def test_the_boot_has_so_many_operations_inside_its_batches() -> None:
    inner: Counter[str] = Counter()
    extended: Counter[str] = Counter()
    requests = 0
    for call in calls(boot()):
        parts = call.args.calls if isinstance(call.args, Multicall) else (Call(call.op, call.args, 0),)
        inner.update(part.op for part in parts if isinstance(call.args, Multicall))
        for part in parts:
            if isinstance(part.args, MmuextOp):
                extended.update(op.cmd for op in part.args.ops)
            elif isinstance(part.args, MmuUpdate):
                requests += len(part.args.reqs)
    assert inner == {"update_va_mapping": 17921, "mmuext_op": 248}
    assert extended == {
        ExtCmd.NEW_USER_BASEPTR: 17012,
        ExtCmd.NEW_BASEPTR: 16968,
        ExtCmd.INVLPG_LOCAL: 431,
        ExtCmd.PIN_L1_TABLE: 157,
        ExtCmd.UNPIN_TABLE: 125,
        ExtCmd.PIN_L4_TABLE: 52,
        ExtCmd.TLB_FLUSH_LOCAL: 30,
        ExtCmd.PIN_L3_TABLE: 1,
        ExtCmd.SET_LDT: 1,
    }
    assert requests == 53865


def test_a_validation_has_the_content_of_the_table() -> None:
    first = next(event for call in calls(boot()) for event in call.events if isinstance(event, Validate))
    assert (first.mfn, first.type, first.ev) == (77903, PageType.SEG, "validate")
    assert [entry.slot for entry in first.entries] == [1, 2, 3, 4, 5, 6]
    assert first.entries[0].word == 58435744481476607


def test_a_trapped_write_has_its_line_and_values() -> None:
    first = next(line for line in boot() if isinstance(line, TrappedWrite))
    assert (first.line, first.n, first.bytes, first.maddr) == (287, 285, 8, 346039544)
    assert (first.pre, first.new, first.post) == (0, 9223372036855427171, 9227875636482797695)
    assert first.cmpxchg_expect is None


def test_a_continued_call_says_what_comes_next() -> None:
    call = next(call for call in calls(boot()) if call.cont)
    assert (call.n, call.ret, call.done) == (264, None, 1)
    assert call.cont is not None
    assert (call.cont.op, call.cont.args) == ("mmu_update", (0, 2147483648, 0, 0, 0, 397312))


def test_an_exchange_has_both_sides() -> None:
    exchanges = [call for call in calls(boot()) if isinstance(call.args, MemoryExchange)]
    assert Counter(call.ret for call in exchanges) == {0: 128, -12: 8}
    for call in exchanges:
        assert isinstance(call.args, MemoryExchange)
        assert (len(call.args.given.extents), len(call.args.taken.extents)) == (64, 1)


def test_the_frame_of_the_interrupt_page_is_in_the_raw_bytes() -> None:
    frames = [call.args.eoi_gmfn for call in calls(boot()) if isinstance(call.args, PhysdevOp)]
    assert [frame for frame in frames if frame is not None] == [0x14DB8]


def test_vcpu_info_names_a_frame() -> None:
    infos = [call.args for call in calls(boot()) if isinstance(call.args, RegisterVcpuInfo)]
    assert [(info.vcpuid, info.mfn, info.offset) for info in infos] == [(0, 128629, 960)]


def _context() -> RecordedContext:
    found = [c.args for c in calls(read_recording(EXCERPT)) if isinstance(c.args, VcpuInitialise)]
    assert [args.vcpuid for args in found] == [1]
    return found[0].ctxt


def test_the_context_of_a_new_vcpu_is_decoded() -> None:
    context = _context()
    rest = context.rest()
    assert [trap.vector for trap in rest.trap_table[:3]] == [0, 1, 2]
    assert (rest.trap_table[0].flags, rest.trap_table[0].cs) == (4, 0x10)
    assert rest.trap_table[0].address == 0xFFFFFFFF81027D90
    assert (rest.ldt_base, rest.ldt_ents) == (0, 0)
    assert len(rest.gdt_frames) == 16
    assert rest.gdt_in_use == rest.gdt_frames[:1] != (0,)
    assert rest.base_mfn == 76304
    assert rest.user_base_mfn == 0
    assert rest.kernel_ss == 0x18
    assert rest.kernel_sp > 0xFFFF800000000000
    assert rest.event_callback == 0xFFFFFFFF81027EF0
    assert rest.gs_base_user is None


def test_the_base_pointer_of_a_new_vcpu_is_what_it_runs_on() -> None:
    lines = [call for call in calls(read_recording(EXCERPT)) if call.vcpu == 1]
    assert lines[0].cr3 == _context().rest().base_mfn


@pytest.mark.parametrize("rest", ["00", "0" * 4439 * 2, "zz" * 4440])
def test_a_context_of_a_wrong_size_is_refused(tmp_path: Path, rest: str) -> None:
    line = next(text for kind, text in samples.one_of_each().items() if "VcpuInitialise" in kind)
    broken = line.replace(_context().rest_hex, rest)
    with pytest.raises(BadInput) as caught:
        list(read_recording(recording(tmp_path, [broken])))
    assert caught.value.field == "args.ctxt"


# --- What is not known -----------------------------------------------------------------------------------


@pytest.mark.parametrize("op", ["argo_op", "set_timer_op", "arch_0", "hypercall_63"])
def test_a_hypercall_without_a_decoder_keeps_its_arguments(tmp_path: Path, op: str) -> None:
    args: samples.Json = {"cmd": "new", "list": [1, {"x": None}], "text": "y"}
    assert decoded(tmp_path, op, args) == Unknown({"cmd": "new", "list": [1, {"x": None}], "text": "y"})


def test_what_is_no_hypercall_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BadInput) as caught:
        decoded(tmp_path, "brand_new", {})
    assert caught.value.field == "op"
    inner: samples.Json = {"nr": 1, "calls": [{"op": "brand_new", "args": {}, "ret": 0}]}
    with pytest.raises(BadInput) as caught:
        decoded(tmp_path, "multicall", inner)
    assert caught.value.field == "args.calls[0].op"


@pytest.mark.parametrize(
    ("op", "args"),
    [
        ("memory_op", {"cmd": "reserved_device_memory_map", "flags": 1}),
        ("memory_op", {"cmd": "populate_physmap", "strange": 1}),
        ("vcpu_op", {"cmd": "get_physid", "vcpuid": 0}),
        ("vcpu_op", {"cmd": 77}),
        ("event_channel_op", {"cmd": "status", "port": 1}),
        ("grant_table_op", {"cmd": "map_grant_ref", "count": 1}),
        ("sched_op", {"cmd": "shutdown", "reason": 0}),
    ],
)
def test_an_unknown_command_is_unknown_and_no_error(
    tmp_path: Path, op: str, args: dict[str, str | int]
) -> None:
    assert decoded(tmp_path, op, dict(args)) == Unknown(args)


@pytest.mark.parametrize(
    ("op", "args", "field"),
    [
        ("vcpu_op", {"cmd": "up"}, "args.vcpuid"),
        ("vcpu_op", {"vcpuid": 0}, "args.cmd"),
        ("vcpu_op", {"cmd": None}, "args.cmd"),
        ("event_channel_op", {"cmd": "send", "port": 1, "more": 1}, "args.more"),
        ("sched_op", {"cmd": "block", "more": 1}, "args.more"),
        ("mmuext_op", {"ops": [], "count": 0, "preempted": 0, "foreigndom": 0}, "args.pdone"),
        ("multicall", {"nr": 2, "calls": []}, "args.nr"),
        (
            "multicall",
            {"nr": 1, "calls": [{"op": "vcpu_op", "args": {"cmd": "up", "vcpuid": -1}, "ret": 0}]},
            "args.calls[0].args.vcpuid",
        ),
        (
            "multicall",
            {"nr": 1, "calls": [{"op": "vcpu_op", "args": {"cmd": "up", "vcpuid": 2**64}, "ret": 0}]},
            "args.calls[0].args.vcpuid",
        ),
        ("physdev_op", {"cmd": 28, "raw_in": "00"}, "args"),
        ("physdev_op", {"cmd": 1, "raw_in": "0"}, "args"),
        ("console_io", {"cmd": 0.5}, "args[...]"),
        ("console_io", {"cmd": -1}, "args[...]"),
    ],
)
def test_arguments_of_a_known_command_that_do_not_fit_are_refused(
    tmp_path: Path, op: str, args: samples.Json, field: str
) -> None:
    with pytest.raises(BadInput) as caught:
        decoded(tmp_path, op, args)
    assert (caught.value.line, caught.value.field) == (2, field)


@pytest.mark.parametrize(
    "operation",
    [
        {"cmd": "PIN_L1_TABLE"},
        {"cmd": "PIN_L1_TABLE", "linear_addr": 0},
        {"cmd": "INVLPG_LOCAL", "mfn": 0},
        {"cmd": "SET_LDT", "linear_addr": 0},
        {"cmd": "UNHEARD"},
        {"cmd": "TLB_FLUSH_LOCAL", "mfn": None, "more": 1},
    ],
)
def test_an_extended_operation_without_its_operands_is_refused(
    tmp_path: Path, operation: samples.Json
) -> None:
    args: samples.Json = {"ops": [operation], "count": 1, "preempted": 0, "foreigndom": 0, "pdone": 0}
    with pytest.raises(BadInput) as caught:
        decoded(tmp_path, "mmuext_op", args)
    assert (caught.value.field or "").startswith("args.ops[0]")


def test_a_reservation_call_that_no_recording_holds_is_decoded(tmp_path: Path) -> None:
    args: dict[str, samples.Json] = {
        "cmd": "populate_physmap",
        "start_extent": 0,
        "nr_extents": 1,
        "extent_order": 0,
        "mem_flags": 0,
        "domid": 32752,
        "extents": [5],
    }
    found = decoded(tmp_path, "memory_op", args, ret=1)
    assert isinstance(found, PopulatePhysmap)
    assert found.extents == (5,)


def test_calls_without_effect_keep_what_they_say(tmp_path: Path) -> None:
    assert decoded(tmp_path, "console_io", {"cmd": 0, "text": "x"}) == OtherArgs({"cmd": 0, "text": "x"})
    assert decoded(tmp_path, "sched_op", {"cmd": "yield"}) == SchedOp("yield")
