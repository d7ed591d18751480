"""Steps write what they declare, all of it, and nothing where they refuse."""

from __future__ import annotations

from collections import defaultdict
from random import Random
from typing import TYPE_CHECKING, Final

from tests.memory import reached
from xenmodel.hypercall import Marker, run
from xenmodel.memory.claim import drop_ref, take_ref
from xenmodel.memory.mmuext_op import Command, ExtOp, MmuextOp, mmuext_op
from xenmodel.step import STEPS, WRITES
from xenproofs.judge.monitor import Monitor
from xenspec.vocabulary import DOMID_SELF, EINVAL, DomId, FlightId, Mfn, VcpuId

if TYPE_CHECKING:
    from xenproofs.machines.world import World

V = VcpuId((1, 0))
K = FlightId((V, 0))
