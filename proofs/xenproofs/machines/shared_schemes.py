"""Schemes of event channels and grants: moves that fit together, where two domains or two vCPUs have to meet.

A port is closed while its peer is told; a vCPU is told just as it falls asleep; a queue changes under an
event that is on it; a mapping is stored through just before it is unmapped; a granter writes its entry anew
while it is in use. Ports, references and moments are drawn, so that most schemes miss.
"""

from collections.abc import Callable
from random import Random
from typing import Final

from xenproofs.machines.events import COMMANDS, PORTS
from xenproofs.machines.moves import FLAGS, NAMES, Move, changed
from xenproofs.machines.setup import SPARE, VCPUS_EACH, WRITABLE_AT_START

Scheme = Callable[[Random, int], list[Move]]
STEPS: Final = 9
"""Steps within which a call is left standing."""
TO_THE_END: Final = 40
MASK_PORT, MASK_UPCALLS, UNMASK_UPCALLS = 0, 2, 3
"""What a `guest` move changes, by its first number."""
FIRST_SPARE: Final = 4
"""The number of a domain's first spare frame; the first ones are mapped writable at the start."""
REFS: Final = 4
ACCEPTS: Final = 4
"""The choice of an entry that accepts a transfer."""
PART: Final = 6
"""The choice of an entry that grants a part of its page."""
PASSED_ON: Final = 5
"""The choice of an entry that passes another grant on."""
OWN, SECOND = 6, 8
"""The numbers by which such an entry names a grant of its own domain, and the second entry of another one."""
SET_VERSION, TO_VERSION_2 = 0, 1
"""The number of a table's change of layout, and the choice of version 2."""
ANOTHER: Final = 2
"""Added to the `d` of a move that means the second of the other domains."""
THIRDS: Final = 2 * VCPUS_EACH
"""The third domain's first vCPU."""
MEANT: Final = 2
"""The number of a destruction of a domain that exists."""
WINDOW: Final = 16


def shared_scheme(rng: Random, subsystem: str) -> list[Move]:
    """Return the moves of a scheme, begun by any vCPU."""
    return rng.choice(SCHEMES[subsystem])(rng, rng.randrange(2 * VCPUS_EACH))


def _choice(number: int) -> int:
    """Return the `d` of a move that makes this choice among eight, and names oneself."""
    return FLAGS * NAMES * number


def ask(command: str, vcpu: int, port: int = 1, c: int = 0, pause: int = 0) -> Move:
    """Return an event_channel_op about a port."""
    number = [name for name, _ in COMMANDS].index(command)
    return Move("event", vcpu, number // 8, port - 1, c, _choice(number % 8), pause)


def _end(vcpu: int) -> Move:
    return Move("advance", vcpu, b=TO_THE_END)


def _other(vcpu: int) -> int:
    """Return a vCPU of the other domain."""
    return (vcpu + VCPUS_EACH) % (2 * VCPUS_EACH)


def _port(rng: Random) -> int:
    return rng.randint(1, PORTS)


def _join(vcpu: int, port: int) -> list[Move]:
    """Let the other domain open a port, and bind it."""
    return [ask("alloc_unbound", _other(vcpu)), ask("bind_interdomain", vcpu, port)]


def _closed_while_told(rng: Random, vcpu: int) -> list[Move]:
    """Close an end of two joined ports, or reset, while the other end is told."""
    close = rng.choice(("close", "close", "reset"))
    closer = rng.choice((_other(vcpu), vcpu ^ 1))
    told = ask("send", vcpu, _port(rng), pause=rng.randint(1, STEPS))
    return [
        *_join(vcpu, _port(rng)),
        told,
        ask(close, closer, _port(rng), pause=rng.choice((0, 3))),
        _end(vcpu),
    ]


def _told_while_falling_asleep(rng: Random, vcpu: int) -> list[Move]:
    """Send to a port while a vCPU, with upcalls masked or not, is about to sleep until it is pending."""
    port = _port(rng)
    bound = ask("bind_ipi", vcpu, c=vcpu % VCPUS_EACH)
    upcalls = Move("guest", vcpu, rng.choice((MASK_UPCALLS, UNMASK_UPCALLS)))
    sleep = Move(
        "sleep", vcpu, rng.randrange(2), port - 1, d=_choice(rng.randrange(2)), pause=rng.randint(1, 4)
    )
    told = ask("send", vcpu ^ 1, rng.choice((port, _port(rng))))
    return [bound, Move("handle", vcpu), upcalls, sleep, told, _end(vcpu)]


def _switch(rng: Random, vcpu: int) -> list[Move]:
    """Switch to the FIFO ABI."""
    control, array = (FIRST_SPARE + n for n in rng.sample(range(WRITABLE_AT_START), 2))
    return [ask("init_control", vcpu, c=control), ask("expand_array", vcpu, c=array)]


def _queued(rng: Random, vcpu: int) -> list[Move]:
    """Send by the FIFO ABI, change the priority of what is on a queue, and send again."""
    port = _port(rng)

    def sent() -> Move:
        return ask("send", vcpu ^ rng.randrange(2), port, pause=rng.choice((0, rng.randint(1, STEPS))))

    priority = ask("set_priority", vcpu, port, rng.randrange(2))
    moves = [*_switch(rng, vcpu), ask("bind_ipi", vcpu), sent(), priority, Move("handle", vcpu)]
    return [*moves, sent(), _end(vcpu)]


def _unmasked(rng: Random, vcpu: int) -> list[Move]:
    """Unmask ports to which something was sent while they were masked, or is sent just then."""
    moves = _switch(rng, vcpu) if rng.randrange(2) else []
    moves.append(ask("bind_ipi", vcpu))
    for port in range(1, PORTS + 1):
        sent = ask("send", vcpu ^ 1, port, pause=rng.choice((0, rng.randint(1, STEPS))))
        moves += [Move("guest", vcpu, MASK_PORT, port - 1), sent, ask("unmask", vcpu, port)]
    return [*moves, _end(vcpu ^ 1)]


def _stored_meanwhile(rng: Random, vcpu: int) -> list[Move]:
    """Store into an event word against the protocol while its event is linked; then send again."""
    port = _port(rng)
    linking = ask("send", vcpu, port, pause=rng.randint(1, STEPS))
    stored = Move("scribble", vcpu ^ 1, rng.randrange(4), port, rng.randrange(WINDOW), rng.randrange(4))
    again = ask("send", vcpu ^ 1, _port(rng))
    return [*_switch(rng, vcpu), ask("bind_ipi", vcpu), linking, stored, _end(vcpu), again]


def _granted(rng: Random, vcpu: int, ref: int) -> list[Move]:
    """Let the other domain grant a frame, mostly to write."""
    frame = FIRST_SPARE + rng.randrange(SPARE)
    return [Move("grant", _other(vcpu), ref, 1, frame, _choice(rng.choice((0, 0, 3))))]


def _used_to_the_last(rng: Random, vcpu: int) -> list[Move]:
    """Map a grant, store through the mapping, and unmap it at once: by then nobody may use it."""
    ref, slot = rng.randrange(REFS), rng.randrange(WINDOW)
    mapped = Move("map_grant", vcpu, ref, slot, 1)
    stored = Move(rng.choice(("store", "store", "load")), vcpu, slot, 1, 0, 1)
    unmapped = Move(
        "unmap_grant", vcpu, rng.randrange(3), slot, pause=rng.choice((0, 0, rng.randint(1, STEPS)))
    )
    return [*_granted(rng, vcpu, ref), mapped, stored, unmapped, _end(vcpu)]


def _entry_changed(rng: Random, vcpu: int) -> list[Move]:
    """Write an entry anew while it is in use, and use it once more."""
    ref = rng.randrange(REFS)
    first = Move(
        "map_grant", vcpu, ref, rng.randrange(WINDOW), 1, pause=rng.choice((0, rng.randint(1, STEPS)))
    )
    again = Move(
        "map_grant", vcpu ^ rng.randrange(2), ref, rng.randrange(WINDOW), 1, _choice(rng.choice((0, 2)))
    )
    return [*_granted(rng, vcpu, ref), first, *_granted(rng, vcpu, ref), again, _end(vcpu)]


def _unmapped_by_two(rng: Random, vcpu: int) -> list[Move]:
    """Unmap the same handle on two vCPUs."""
    ref, slot = rng.randrange(REFS), rng.randrange(WINDOW)
    mapped = Move("map_grant", vcpu, ref, slot, 1, _choice(rng.choice((0, 3))))
    away = [Move("unmap_grant", v, 0, slot, pause=rng.randint(1, STEPS)) for v in (vcpu, vcpu ^ 1)]
    return [*_granted(rng, vcpu, ref), mapped, *away, _end(vcpu), _end(vcpu ^ 1)]


def _transferred(rng: Random, vcpu: int) -> list[Move]:
    """Give the frame away that nothing maps, where the other domain accepts it."""
    ref = rng.randrange(REFS)
    accepts = Move("grant", _other(vcpu), ref, 1, 0, _choice(ACCEPTS))
    return [accepts, Move("transfer", vcpu, ref, 0, FIRST_SPARE + SPARE - 1)]


def _part_in_use(rng: Random, vcpu: int) -> list[Move]:
    """Copy from a part of a page that is granted by version 2, and map it meanwhile."""
    ref, frame = rng.randrange(REFS), FIRST_SPARE + rng.randrange(WRITABLE_AT_START)
    layout = Move("table", _other(vcpu), SET_VERSION, d=_choice(TO_VERSION_2))
    part = Move("grant", _other(vcpu), ref, 1, FIRST_SPARE + rng.randrange(SPARE), _choice(PART))
    copied = Move("copy_grant", vcpu, ref, 0, frame, rng.randrange(2), rng.randint(1, STEPS))
    mapped = Move("map_grant", vcpu ^ 1, ref, rng.randrange(WINDOW), 1, _choice(rng.choice((0, 2))))
    return [layout, part, copied, mapped, _end(vcpu)]


def _used_by_a_third(rng: Random, vcpu: int) -> list[Move]:
    """Map an entry, have it written anew for the third domain, and let that map it too."""
    ref = rng.randrange(REFS)
    granted = _granted(rng, vcpu, ref)
    anew = [changed(move, "d", move.d + ANOTHER) for move in granted]
    mapped = Move("map_grant", vcpu, ref, rng.randrange(WINDOW), 1)
    third = Move("map_grant", THIRDS + rng.randrange(VCPUS_EACH), ref, rng.randrange(WINDOW), 1)
    whose = ANOTHER if _other(vcpu) < VCPUS_EACH else 0
    return [*granted, mapped, *anew, changed(third, "d", whose)]


def _passed_on(rng: Random, vcpu: int) -> list[Move]:
    """Grant a frame to the other domain, which passes it on; copy by that on two vCPUs."""
    ref, outer, passing = rng.randrange(2), rng.randrange(REFS), _other(vcpu)
    third = rng.randrange(3) == 0
    from_third = [changed(move, "vcpu", THIRDS) for move in _granted(rng, vcpu, ref)]
    whose = 0 if passing >= VCPUS_EACH else ANOTHER
    granted = [changed(m, "d", m.d + whose) for m in from_third] if third else _granted(rng, passing, ref)
    giver = rng.choice((OWN, int(third), int(third), int(third), int(third))) if ref == 0 else SECOND + third
    passes = Move("grant", passing, outer, 1, giver, _choice(PASSED_ON))
    layout = Move("table", passing, SET_VERSION, d=_choice(TO_VERSION_2))
    before = rng.choice(([], [], [*_granted(rng, vcpu, outer), Move("map_grant", vcpu, outer, 1, 1)]))

    def copy(of: int, pause: int) -> Move:
        frame = FIRST_SPARE + rng.randrange(WRITABLE_AT_START)
        return Move("copy_grant", of, outer, 0, frame, rng.randrange(2), pause)

    copies = [copy(vcpu, rng.choice((0, rng.randint(1, STEPS)))), copy(vcpu ^ 1, 0)]
    return [layout, *granted, *before, passes, *copies, _end(vcpu)]


def _died(rng: Random, vcpu: int) -> list[Move]:
    """Map a grant, mostly for devices too, and destroy one of both domains."""
    ref = rng.randrange(REFS)
    mapped = Move("map_grant", vcpu, ref, rng.randrange(WINDOW), 1, _choice(rng.choice((0, 3, 4))))
    destroyed = Move(
        "destroy", rng.randrange(VCPUS_EACH), b=MEANT, pause=rng.choice((0, rng.randint(1, STEPS)))
    )
    return [*_granted(rng, vcpu, ref), mapped, destroyed]


SCHEMES: Final[dict[str, tuple[Scheme, ...]]] = {
    "events": (_closed_while_told, _told_while_falling_asleep, _queued, _unmasked, _stored_meanwhile),
    "grants": (
        _used_to_the_last,
        _entry_changed,
        _unmapped_by_two,
        _transferred,
        _part_in_use,
        _used_by_a_third,
        _passed_on,
        _died,
    ),
}
"""The schemes of each subsystem."""
