"""Linear page tables: a read-only entry may link a table of its own level, one deep.

Each table counts in one signed number: above zero its own linear entries, below zero the times it is
linked so; both at once would make a chain (advisory 240). A table's link to itself holds no reference.
"""

from xenmodel.hypercall import Call, Steps
from xenmodel.memory.claim import drop_ref, take_ref, take_type_again
from xenmodel.step import Refused
from xenspec.vocabulary import EINVAL, FlightId


def take_linear(x: Call, k: FlightId, word: int, table: int) -> Steps[str]:
    """Take what a linear entry needs into flight `k`: nothing for `self`, both references for `linear`."""
    m = x.m
    if m.pte.writable(word):
        raise Refused("a linear entry is read-only", EINVAL)
    f = m.pte.target(word)
    if f == table:
        return "self"
    take_ref(m, k, f, m.frames[table].owner)
    yield take_ref
    linked, parent = m.frames[f], m.frames[table]
    allowed = linked.type == parent.type and parent.linear >= 0 and linked.linear <= 0
    try:
        if not allowed:
            raise Refused("linear tables are one deep", EINVAL)  # noqa: TRY301 - one place drops
        take_type_again(m, k)
        yield take_type_again
    except Refused:
        drop_ref(m, k)
        yield drop_ref
        raise
    return "linear"
