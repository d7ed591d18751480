"""The registry of actions: for each step of the model, what it is the doing of.

A function of a step's name takes the state before and the step's arguments, by their names, and returns the
step's actions. One more argument, `any_slot`, stands for any slot of a frame: a contract that is about every
word of a frame is asked of it. `any_number` is any other number beside it.
"""

from collections.abc import Callable
from typing import Final, Never

from xenspec.contract import Action

Actions = tuple[Action[Never], ...]
"""Actions of whatever subsystem: whoever asks them has a state with all tables."""
Describe = Callable[..., Actions]
ANY_SLOT: Final = "any_slot"
ANY_NUMBER: Final = "any_number"

ACTIONS: Final[dict[str, Describe]] = {}
"""What each step does, by the step's name; filled as the modules of this package are imported."""


def of_step(function: Describe) -> Describe:
    """Register what the step of the function's name does."""
    name = str(getattr(function, "__name__", ""))
    if name in ACTIONS:
        raise ValueError(name)
    ACTIONS[name] = function
    return function
