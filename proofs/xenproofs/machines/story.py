"""Telling a story: the moves that break something, with roles, as English and as a pytest test that runs.

2  dom0.v1  mmu_update:normal      dom0.l1[12] := dom0.f3 +rw      left standing after 4 steps
"""

from collections.abc import Sequence
from dataclasses import dataclass

from xenmodel.abi import pte
from xenproofs.machines.breach import Breach
from xenproofs.machines.calls import call_name
from xenproofs.machines.moves import (
    FLAG_SETS,
    NAMEABLE,
    SLOT_CHOICES,
    Move,
    describe,
    frame_name,
    frame_of,
    named,
    vcpu_of,
    word_of,
)
from xenproofs.machines.walking import WALKING
from xenspec.vocabulary import DOMID_SELF, DomId

FLAG_NAMES = ((pte.PRESENT, "p"), (pte.RW, "rw"), (pte.USER, "user"), (pte.PWT, "pwt"), (pte.PSE, "pse"))


@dataclass(frozen=True, slots=True)
class Story:
    """A breach and the moves that lead to it."""

    breach: Breach
    moves: tuple[Move, ...]
    found_in: int
    """The number of its episode."""
    found_with: int
    """How many moves it had when it was found."""
    candidates: int = 0
    """Stories tried to make it this short."""
    every_step: bool = False
    fault: str = ""

    @property
    def trace(self) -> list[str]:
        """The moves, one line each, as `parse` reads them."""
        return [describe(move) for move in self.moves]


def tell(move: Move) -> str:
    """Tell one move in a line."""
    vcpu = vcpu_of(move)
    who = (
        f"cpu{move.vcpu % 2}"
        if move.kind in ("fill", "evict", "stale_store", *WALKING)
        else f"dom{vcpu[0]}.v{vcpu[1]}"
    )
    words = [f"{who:8}", f"{call_name(move):30}", _what(move, DomId(vcpu[0]))]
    if move.pause:
        words.append(f"  left standing after {move.pause} step{'s' * (move.pause > 1)}")
    if move.preempt:
        words.append(f"  preempted at point {move.preempt}")
    return " ".join(words).rstrip()


def _what(move: Move, domain: DomId) -> str:
    """Tell what a move is about."""
    frame = frame_name(frame_of(domain, move.a))
    if move.kind == "advance":
        return f"{1 + move.b} steps"
    if move.kind == "switch":
        return f"cpu{move.a % 2} runs dom{move.b % 2}.v{move.c % 2}"
    if move.kind in ("load", "select", "fill", "evict", "stale_store", "flush"):
        return f"page {move.a % 16}"
    about = frame
    if move.kind in ("walk_on", "walk_to", "mark", "forget"):
        return f"prefix {move.a}, slot {SLOT_CHOICES[move.b]}"
    if move.kind == "prefix":
        return f"{frame}[{SLOT_CHOICES[move.b]}]"
    if move.kind in ("update", "batch"):
        about = f"{frame}[{SLOT_CHOICES[move.b]}] := {_entry(move, domain)}"
    elif move.kind in ("map", "store"):
        about = f"page {move.a % 16} := {_entry(move, domain)}"
    elif move.kind in ("page", "descriptors", "reserve"):
        about = f"{frame}, {frame_name(frame_of(domain, move.c))}"
    elif move.kind == "info":
        about = f"{frame} for v{move.b % 3}"
    return about + _foreign(move, domain)


def _entry(move: Move, domain: DomId) -> str:
    if move.c >= NAMEABLE:
        return f"{word_of(domain, move.c, move.d):#x}"
    flags = FLAG_SETS[move.d % len(FLAG_SETS)]
    names = "+".join(name for flag, name in FLAG_NAMES if flags & flag)
    return f"{frame_name(frame_of(domain, move.c))} {names or 'absent'}"


def _foreign(move: Move, domain: DomId) -> str:
    other = named(domain, move.d)
    return "" if other == DOMID_SELF else f" of dom{other}"


def as_text(story: Story) -> str:
    """Return a story for a terminal."""
    lines = [f"{number:3}  {tell(move)}" for number, move in enumerate(story.moves, start=1)]
    shorter = f"{story.found_with} moves when found, {len(story.moves)} after {story.candidates} candidates"
    return "\n".join((story.breach.text, "", *lines, "", shorter))


def as_test(story: Story) -> str:
    """Return a story as the text of a pytest test, which passes once nothing is broken any more."""
    step = ", every_step=True" if story.every_step else ""
    check = f"assert breach(story{step}) is None"
    if story.fault:
        check = f'with planted(fault_named("{story.fault}")):\n        {check}'
    lines = [f'        "{describe(move)}",' for move in story.moves]
    return "\n".join((*_imports(story), "", "", *_head(story), *lines, "    ]", *_body(check), ""))


def _imports(story: Story) -> Sequence[str]:
    plain = ("from xenproofs.machines.breach import breach", "from xenproofs.machines.moves import parse")
    if not story.fault:
        return plain
    return (
        plain[0],
        "from xenproofs.machines.faults import fault_named",
        plain[1],
        "from xenproofs.machines.planting import planted",
    )


def _head(story: Story) -> Sequence[str]:
    name = "".join(c if c.isalnum() else "_" for c in story.breach.name)
    return (f"def test_{name}() -> None:", "    lines = [")


def _body(check: str) -> Sequence[str]:
    return ("    story = [parse(line) for line in lines]", f"    {check}")
