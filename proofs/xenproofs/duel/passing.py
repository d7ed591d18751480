"""A family of cases about transitive entries: copies by what another domain granted to the one that asks.

The asker passes on to itself what the other domain grants to it: the outer entries are in its own table, of
the second layout, the inner ones in the other's. An outer entry is never mapped: a copy by one that is in use
for a frame of its own, and has become transitive since, is asked for again and again, as long as that lasts.
"""

from typing import Final

from xenproofs.duel.granting import FAR_REFS, NOBODY, PAGES, SELF
from xenproofs.duel.ops import FEW, HALF, SOME, Case, Draw, Op, Value, extended, map_own, read, write

OUTER: Final = (6, 7)
INNER: Final = 2
"""References of the other domain's table that are used, from 0 on."""
OUTER_FLAGS: Final = (3, 3, 3, 3, 3, 3, 3, 7, 0x103, 1, 0)
INNER_FLAGS: Final = (1, 1, 1, 1, 1, 1, 1, 5, 5, 0, 2, 3, 9)
RIGHT: Final = 0.9
"""How likely an entry names whom it should."""
OFFSETS: Final = (0, 0, 0, 0, 0, 8, 8, 64, 4088, 4090)
LENGTHS: Final = (8, 8, 8, 8, 1, 3, 64, 0, 4096, 4097)


def _outer(rng: Draw) -> Op:
    """Write an entry that passes on what another domain grants, seldom something else."""
    flags = rng.choice(OUTER_FLAGS)
    whom = rng.own if rng.random() < RIGHT else rng.choice((rng.own, rng.other, NOBODY, SELF))
    op: Op = {"op": "gnt2_write", "ref": rng.choice(OUTER), "flags": flags, "dom": whom}
    if flags in (0, 1):
        return op | {"frame": rng.choice(PAGES)}
    giver = rng.other if rng.random() < RIGHT else rng.choice((rng.own, SELF, NOBODY, rng.other))
    ref = rng.choice(FAR_REFS) if rng.random() < FEW / 2 else rng.randrange(INNER)
    return op | {"gref": ref, "trans": giver}


def _inner(rng: Draw) -> Op:
    """Write an entry of the other domain's table, where the asker may; else one of its own."""
    whom = rng.own if rng.random() < RIGHT else rng.choice((rng.own, rng.other, NOBODY))
    op: Op = {"ref": rng.randrange(INNER), "flags": rng.choice(INNER_FLAGS), "dom": whom}
    if rng.own:
        return {"op": "gnt2_write", **op, "flags": rng.choice((1, 5, 0)), "frame": rng.choice(PAGES)}
    return {
        "op": "fgnt_write",
        **op,
        "frame": rng.choice(("f0", "f0", "f0", "f0", "f1", "f1", "f1", "p0", "invalid")),
    }


def _end(rng: Draw) -> dict[str, Value]:
    offset = rng.choice(OFFSETS)
    if rng.random() < HALF:
        return {"ref": rng.choice(OUTER), "dom": rng.choice((rng.own, rng.own, SELF)), "off": offset}
    if rng.random() < SOME:
        return {
            "ref": rng.randrange(INNER),
            "dom": rng.choice((rng.other, rng.other, rng.own)),
            "off": offset,
        }
    return {"frame": rng.choice(PAGES), "dom": SELF, "off": offset}


def _copy(rng: Draw) -> Op:
    return {"op": "gnt_copy", "src": _end(rng), "dst": _end(rng), "len": rng.choice(LENGTHS)}


def _map(rng: Draw) -> Op:
    """Map what the other domain grants, so that the inner entry is in use."""
    flags, save = rng.choice((2, 2, 6, 6, 3)), rng.randrange(4)
    op: Op = {"op": "gnt_map", "flags": flags, "save": save, "va": rng.choice(PAGES[2:])}
    return op | {"ref": rng.randrange(INNER), "dom": rng.other}


def _unmap(rng: Draw) -> Op:
    return {"op": "gnt_unmap", "va": rng.choice(PAGES[2:]), "handle": f"${rng.randrange(4)}"}


def _look(rng: Draw) -> Op:
    if rng.own or rng.random() < HALF:
        return {"op": "gnt_status", "ref": rng.choice(OUTER)}
    return {"op": "fgnt_read", "ref": rng.randrange(INNER)}


def _beside(rng: Draw) -> Op:
    """Change a page, or the table's layout, beside the grants."""
    page = rng.choice(PAGES)
    moves: tuple[Op, ...] = (
        map_own(page),
        map_own(page, 0x63),
        extended([rng.choice(("pin_l1", "unpin")), page]),
        {"op": "gnt_set_version", "version": rng.choice((1, 2, 2))},
        {"op": "gnt_swap", "a": rng.randrange(INNER), "b": rng.randrange(INNER)},
    )
    return rng.choices(moves, (3, 3, 3, 1, 1))[0]


def _in_the_second_layout(ops: list[Op]) -> list[Op]:
    """Leave out entries of the second layout that are written while the table has the first."""
    kept: list[Op] = []
    layout = 2
    for op in ops:
        if op["op"] == "gnt_set_version":
            layout = 1 if op["version"] == 1 else 2
        if op["op"] != "gnt2_write" or layout != 1:
            kept.append(op)
    return kept


def transitive(rng: Draw) -> Case:
    """Copy by entries that pass grants on, while both entries change and the inner one is in use."""
    moves = (_outer, _inner, _copy, _map, _unmap, _look, _beside)
    ops: list[Op] = [write(f"{page}+{8 * at}", rng.getrandbits(40)) for page in PAGES[:2] for at in (0, 1, 8)]
    ops.append({"op": "gnt_set_version", "version": 2})
    ops += [_inner(rng), _inner(rng), _outer(rng), _outer(rng)]
    ops += [rng.choices(moves, (3, 3, 12, 2, 1, 2, 1))[0](rng) for _ in range(rng.randint(4, 12))]
    if rng.random() < SOME:
        ops.append(_copy(rng))
    ops += [_look(rng), _look(rng), read("p0"), read("p1+8")]
    return Case(_in_the_second_layout(ops), 4, 0 if rng.own else 2)
