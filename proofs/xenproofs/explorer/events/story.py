"""Telling a way through a world of event channels: who does what."""

from collections.abc import Sequence

from xenproofs.explorer.events.moves import CALL, GUEST, Transition, happen
from xenproofs.explorer.events.scopes import INTERRUPTS, EventScope
from xenproofs.explorer.events.state import EventKeeper

LONG = ("send", "unmask", "poll", "block", "reset", "interrupt", "bind")
"""What takes more than one step."""


def tell(
    keeper: EventKeeper, scope: EventScope, way: Sequence[Transition], repeats: int = 0
) -> tuple[str, ...]:
    """Tell a way from the state that the machine is in; the last `repeats` transitions go on for ever."""
    lines: list[str] = []
    exchanged = False
    for number, transition in enumerate(way):
        about = _about(keeper, transition)
        if not happen(keeper, scope, transition):
            raise ValueError(f"{transition} cannot happen")
        again = "again and again: " if len(way) - repeats == number else ""
        lines.append(f"{again}{_who(keeper, transition, exchanged)}  {transition.name}{about}".rstrip())
        plain, kept = keeper.plain(), keeper.save()
        exchanged ^= plain != kept
        keeper.restore(kept)
    return tuple(lines)


def _who(keeper: EventKeeper, t: Transition, exchanged: bool) -> str:  # noqa: FBT001 - of whom is told
    v = keeper.exchange(t.vcpu) if exchanged else t.vcpu
    return "xen    " if v == INTERRUPTS else f"dom{v[0]}.v{v[1]}"


def _about(keeper: EventKeeper, t: Transition) -> str:
    """Say which ports a transition is about: those that it names, or the one of the notice."""
    numbers = " ".join(map(str, t.numbers))
    if t.part == GUEST:
        return (
            f" {numbers} (begins)"
            if t.name in ("send", "unmask", "poll", "block", "reset")
            else f" {numbers}"
        )
    notice = keeper.m.notices[t.vcpu]
    if t.part == CALL and notice.stage:
        return f" of dom{notice.domain}.p{notice.port}"
    return f" {numbers}"
