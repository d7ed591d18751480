"""Families of cases about event channels, by both ABIs: what is bound, told, masked and linked."""

from typing import TYPE_CHECKING, Final

from xenproofs.duel.ops import FEW, HALF, MOST, SOME, Case, Draw, Op, Value, map_own, read, write

if TYPE_CHECKING:
    from collections.abc import Callable

SELF, IO, XEN = 0x7FF0, 0x7FF1, 0x7FF2
NOBODY = 5
SLOTS = 8
PORTS = (0, 1, 2, 3, 4, 5, 6, 9, 63, 64, 1023, 1024, 4095, 4096, 0x20000, 0xFFFFFFFF)
"""Ports by their number: mostly closed, some that are never made."""
INTERRUPTS = (0, 0, 0, 1, 1, 2, 3, 4, 7, 11, 13, 16, 23, 24)
"""Virtual interrupts; that of the console ring (8) is not among them: Xen raises it when it likes."""
VCPUS = (0, 0, 0, 1, 2, 3, 4)
PENDING, MASKED, LINKED = 1 << 31, 1 << 30, 1 << 29
"""Flags of an event word of the FIFO ABI."""
BLOCK_BYTES = 72
WORDS_SHOWN = 8


def evt(command: Value, *args: Value, save: int | None = None) -> Op:
    """Return an event_channel_op."""
    op: Op = {"op": "evt", "cmd": command, "args": args}
    if save is not None:
        op["save"] = save
    return op


class Ports:
    """What a case has opened so far, by the slots that hold the ports."""

    def __init__(self, rng: Draw) -> None:
        self._rng: Final = rng
        self._opened = 0
        self._senders: Final[list[str]] = []
        self._unbound: Final[list[tuple[int, str]]] = []

    def any(self) -> Value:
        """Return a port: mostly one that the case has opened."""
        if self._opened and self._rng.random() < MOST:
            return f"${self._rng.randrange(min(self._opened, SLOTS))}"
        return self._rng.choice(PORTS)

    def _next(self) -> int:
        self._opened += 1
        return (self._opened - 1) % SLOTS

    def alloc(self) -> Op:
        """Open an unbound port, of the asker mostly."""
        rng = self._rng
        domain = rng.choice((SELF, SELF, SELF, SELF, rng.own, rng.other, NOBODY, IO))
        remote = rng.choice((SELF, SELF, rng.own, rng.own, rng.other, NOBODY, XEN))
        slot = self._next()
        self._unbound.append((rng.own if domain == SELF else domain, f"${slot}"))
        return evt("alloc_unbound", domain, remote, save=slot)

    def bind(self) -> Op:
        """Join a port to an unbound one."""
        rng = self._rng
        slot = self._next()
        self._senders.append(f"${slot}")
        if self._unbound and rng.random() < MOST:
            domain, port = rng.choice(self._unbound)
            return evt("bind_interdomain", rng.choice((domain, SELF)), port, save=slot)
        return evt("bind_interdomain", rng.choice((SELF, rng.own, rng.other, NOBODY)), self.any(), save=slot)

    def interrupt(self) -> Op:
        """Bind a virtual interrupt, an interrupt between vCPUs, or a physical one."""
        rng, slot = self._rng, self._next()
        kind = rng.choice(("bind_virq", "bind_virq", "bind_ipi", "bind_ipi", "bind_ipi"))
        if kind == "bind_virq":
            return evt(kind, rng.choice(INTERRUPTS), rng.choice(VCPUS), save=slot)
        self._senders.append(f"${slot}")
        return evt(kind, rng.choice((*VCPUS, 0xFFFFFFFF)), save=slot)

    def send(self) -> Op:
        """Send, mostly to where that leads somewhere."""
        known = self._senders and self._rng.random() < MOST
        return evt("send", self._rng.choice(self._senders) if known else self.any())

    def change(self) -> Op:
        """Do something to one port."""
        rng = self._rng
        command = rng.choice(("close", "unmask", "unmask", "status", "bind_vcpu", "bind_vcpu", "poll"))
        if command == "poll":
            return {"op": "poll", "ports": [self.any() for _ in range(rng.choice((0, 1, 1, 1, 2, 3)))]}
        if command == "status":
            return evt(command, rng.choice((SELF, SELF, SELF, rng.own, rng.other, NOBODY)), self.any())
        if command == "bind_vcpu":
            return evt(command, self.any(), rng.choice(VCPUS))
        return evt(command, self.any())

    def scribble(self) -> Op:
        """Let the guest write its own bits of the 2-level ABI."""
        rng = self._rng
        kind = rng.choice(
            ("set_mask", "set_mask", "clr_mask", "set_pending", "clr_pending", "clr_sel", "clr_upcall")
        )
        return {"op": "evt_write", "cmd": kind, "port": self.any(), "vcpu": rng.choice((0, 0, 1))}

    def rarely(self) -> Op:
        """Reset, ask for an unknown command, or for what needs another ABI."""
        rng = self._rng
        return rng.choice(
            (
                evt("reset", rng.choice((SELF, SELF, rng.own, rng.other, NOBODY, IO))),
                evt("set_priority", self.any(), rng.randrange(18)),
                evt("bind_pirq", rng.choice((0, 16, 400)), 0),
                evt(rng.choice((15, 99))),
            )
        )


def _look(rng: Draw) -> Op:
    """Read the shared bits."""
    if rng.own == 0 and rng.random() < FEW:
        return {"op": "evt_dump", "dom": rng.other}
    return {"op": "evt_dump"}


def channels(rng: Draw) -> Case:
    """Open, bind, send, mask, unmask, close and look, by the 2-level ABI."""
    ports = Ports(rng)
    moves = (ports.alloc, ports.bind, ports.interrupt, ports.send, ports.change, ports.scribble, ports.rarely)
    ops = [ports.alloc()]
    for _ in range(rng.randint(4, 14)):
        (move,) = rng.choices(moves, (4, 5, 4, 6, 5, 4, 0.4))
        ops.append(move())
        if rng.random() < SOME:
            ops.append(_look(rng))
    ops.append({"op": "evt_dump"})
    if rng.own == 0:
        ops.append({"op": "evt_dump", "dom": rng.other})
    return Case(ops, 0)


class Pages:
    """The pages that a case gives to Xen. No page is given in two roles, and no two blocks overlap."""

    def __init__(self, rng: Draw) -> None:
        self._rng: Final = rng
        self._array: Final = iter(("p1", "p2"))

    def control(self) -> Op:
        """Name a control block: a vCPU's, in p0; mostly so that it is accepted."""
        rng = self._rng
        if rng.random() < FEW:
            frame: Value = rng.choice(("xen", "invalid", "mmio_vga", "bootl1"))
            return evt("init_control", frame, rng.choice((0, 8)), rng.choice((0, 1, 4, 99)))
        if rng.random() < FEW:
            return evt("init_control", "p0", rng.choice((4, 4028, 4032, 4096, 1 << 31)), rng.choice((0, 1)))
        vcpu = rng.choice((0, 0, 0, 1, 1, 2, 3))
        return evt("init_control", "p0", vcpu * BLOCK_BYTES + rng.choice((0, 0, 512)), vcpu)

    def expand(self) -> Op:
        """Add a page of event words."""
        odd = self._rng.choice(("xen", "invalid", "bootl1", "mmio_vga"))
        return evt("expand_array", odd if self._rng.random() < FEW else next(self._array, odd))


def _words(rng: Draw) -> int:
    """Return two neighbouring event words as a guest may leave them."""
    word = 0
    for half in (0, 32):
        flags = rng.choice((0, 0, MASKED, MASKED, PENDING, PENDING | MASKED, LINKED | PENDING, LINKED))
        word |= (flags | (rng.randrange(WORDS_SHOWN) if flags & LINKED else 0)) << half
    return word


def _scribble_words(rng: Draw) -> Op:
    """Let the guest write event words, or the control block."""
    if rng.random() < FEW:
        at = rng.choice((0, 0, 8, 16, 32)) + BLOCK_BYTES * rng.choice((0, 0, 1))
        return write(f"p0+{at}", rng.choice((0, 0, 1 << 7, rng.randrange(8) << 32 | rng.randrange(8))))
    return write(f"p1+{8 * rng.randrange(WORDS_SHOWN // 2)}", _words(rng))


def _read_words(rng: Draw) -> Op:
    """Look at event words, or at a control block."""
    if rng.random() < HALF:
        return read(f"p1+{8 * rng.randrange(WORDS_SHOWN // 2)}")
    return read(f"p0+{8 * rng.randrange(BLOCK_BYTES // 8) + BLOCK_BYTES * rng.choice((0, 0, 1))}")


def fifo(rng: Draw) -> Case:
    """Switch to the FIFO ABI, before or after ports are open; priorities, queues, words; and back again."""
    ports, pages = Ports(rng), Pages(rng)
    moves: tuple[Callable[[], Op], ...] = (
        ports.alloc,
        ports.bind,
        ports.interrupt,
        ports.send,
        ports.change,
        ports.scribble,
        lambda: evt("set_priority", ports.any(), rng.choice((0, 3, 6, 7, 8, 15, 16))),
        lambda: _scribble_words(rng),
        lambda: _read_words(rng),
        pages.control,
        pages.expand,
        lambda: evt("reset", rng.choice((SELF, SELF, rng.own))),
        lambda: map_own(rng.choice(("p0", "p1", "p2"))),
    )
    weights = (3, 5, 4, 9, 6, 1, 3, 4, 5, 1.5, 1, 0.4, 0.3)
    ops = [rng.choices(moves, weights)[0]() for _ in range(rng.choice((0, 0, 2, 4)))]
    ops += [_scribble_words(rng) for _ in range(rng.choice((0, 0, 2)))]
    ops.append(evt("init_control", "p0", 0, 0))
    if rng.random() < SOME:
        ops.append(pages.control())
    if rng.random() > FEW:
        ops.append(pages.expand())
    ops += [rng.choices(moves, weights)[0]() for _ in range(rng.randint(4, 14))]
    ops += [read(f"p1+{8 * place}") for place in range(WORDS_SHOWN // 2)]
    ops += [read(f"p0+{8 * place}") for place in (0, 1, 4, 5, 8)]
    return Case([*ops, {"op": "evt_dump"}], 4)
