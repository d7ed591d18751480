"""Telling a way through a ring: who does what, and what of it the page and the sides show."""

from collections.abc import Iterator, Sequence

from xenmodel.abi.ring import NOTHING, is_response, number_of
from xenmodel.rings.rows import AGAIN, ASK, ASLEEP, BROKEN, CHECK, LOOK, MARK, NOTIFY, SLOT, Location, Store
from xenproofs.explorer.rings.moves import DRAINS, Transition, happen
from xenproofs.explorer.rings.state import FIELDS, SIDES, RingKeeper, Saved

ROLES = ("frontend", "backend")
TOLD = ("cons", "limit")
"""Fields of a side whose change is told; the others show in the page, or are ghosts."""


DECISIONS: dict[tuple[int, int], tuple[str]] = {
    (CHECK, NOTIFY): ("the peer is to be told",),
    (CHECK, LOOK): ("the peer need not be told",),
    (LOOK, ASK): ("finds nothing new",),
    (AGAIN, ASLEEP): ("finds nothing new; sleeps",),
    (AGAIN, LOOK): ("finds something new",),
}
"""What a side decides, by its stage before and after."""


def item_name(item: int) -> str:
    """Return an item in words."""
    if item == NOTHING:
        return "nothing"
    return f"{'response' if is_response(item) else 'request'} {number_of(item)}"


def place_name(where: Location) -> str:
    """Return a word of the page as Xen calls it."""
    return f"ring[{where.slot}]" if where.place == SLOT else where.place.name.lower()


def value_name(where: Location, value: int) -> str:
    """Return what a word holds."""
    return item_name(value) if where.place == SLOT else str(value)


def tell(keeper: RingKeeper, way: Sequence[Transition], repeats: int = 0) -> tuple[str, ...]:
    """Tell a way from the state that the ring is in; the last `repeats` transitions go on for ever."""
    lines: list[str] = []
    for number, transition in enumerate(way):
        before = keeper.save()
        if not happen(keeper.m, transition):
            raise ValueError(f"{transition} cannot happen")
        again = "again and again: " if len(way) - repeats == number else ""
        lines.append(f"{again}{_line(keeper, transition, before, keeper.save())}")
    return tuple(lines)


def _line(keeper: RingKeeper, transition: Transition, before: Saved, after: Saved) -> str:
    """Tell one transition."""
    x, kind = transition.actor
    moves = [move for move in transition.moves if move.step != "scribble"]
    forged = [move for move in transition.moves if move.step == "scribble"][:1]
    told = [f"the peer has stored {_store(*move.arguments[1:])}" for move in forged]
    told += [*_changes(keeper, before, after)]
    if kind == DRAINS:
        return f"memory    a store of the {ROLES[x]} arrives: {_arrived(before.buffers[x], transition)}"
    early = any(move.arguments[1:] not in ((), (0,)) and move.step in EARLY for move in moves)
    name = " ".join(move.step for move in moves) + (" early" if early else "")
    return f"{ROLES[x]:<9} {name:<15} {'; '.join(told)}".rstrip()


EARLY = ("look", "look_again", "copy_item", "check_notify", "begin_push")
"""Steps that load, and can give an earlier value."""


def _store(*arguments: object) -> str:
    where, value = arguments
    if not isinstance(where, Location) or not isinstance(value, int):
        raise TypeError(arguments)
    return f"{place_name(where)} = {value_name(where, value)}"


def _changes(keeper: RingKeeper, before: Saved, after: Saved) -> Iterator[str]:
    """Say what a transition has changed."""
    for where, old, new in zip(keeper.locations, before.cells, after.cells, strict=True):
        if old != new:
            yield f"{place_name(where)} = {value_name(where, new)}"
    for old_stores, new_stores in zip(before.buffers, after.buffers, strict=True):
        if len(new_stores) > len(old_stores):
            yield _waiting(new_stores[-1])
    for x in SIDES:
        yield from _of_side(before.sides[x], after.sides[x])
        if after.bells[x] and not before.bells[x]:
            yield f"an event for the {ROLES[x]}"


def _arrived(stores: tuple[Store, ...], transition: Transition) -> str:
    """Tell the store that reached memory."""
    number = transition.moves[0].arguments[1]
    if not isinstance(number, int):
        raise TypeError(number)
    return _store(*stores[number])


def _waiting(store: Store) -> str:
    where, value = store
    if where.place == MARK:
        return "stores after it wait for those before"
    return f"{place_name(where)} = {value_name(where, value)} waits"


def _of_side(before: tuple[int, ...], after: tuple[int, ...]) -> Iterator[str]:
    """Say what has changed of a side."""
    old, new = dict(zip(FIELDS, before, strict=True)), dict(zip(FIELDS, after, strict=True))
    for name in TOLD:
        if old[name] != new[name]:
            yield f"{name} = {new[name]}"
    if new["item"] not in (old["item"], NOTHING):
        yield f"copied {item_name(new['item'])}"
    decision = (old["stage"], new["stage"])
    if decision in DECISIONS:
        yield from DECISIONS[decision]
    if old["stage"] != new["stage"] == BROKEN:
        yield "calls the ring broken"
