"""Narrow counters: a machine whose counters hold a few holders only, so that a finite state fills them.

Xen's counters are so wide that no state with each holder by name could fill one. What steps and invariants
say of a full counter does not depend on its width: they name it. So it may be narrowed, for all at once.
"""

from __future__ import annotations

import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Generator

NARROW: Final = {"TYPE_LIMIT": 1, "REF_LIMIT": 3, "PIN_ROOM": 1}
"""The widths of a frame's counts of type and general references, and of an entry's pins."""
PACKAGES: Final = ("xenmodel.", "xenspec.")


@contextmanager
def narrow_counters() -> Generator[None]:
    """Make the counters narrow in every module of model and specification that names their widths."""
    named = [
        (module, name, getattr(module, name))
        for key, module in list(sys.modules.items())
        if key.startswith(PACKAGES)
        for name in NARROW
        if hasattr(module, name)
    ]
    try:
        for module, name, _ in named:
            setattr(module, name, NARROW[name])
        yield
    finally:
        for module, name, wide in named:
            setattr(module, name, wide)
