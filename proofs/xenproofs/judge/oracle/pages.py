"""What the asking program sees of a page: its page_info, as the answers write it."""

from collections.abc import Callable
from functools import cache
from operator import attrgetter
from typing import Final, TypeAlias

from xenmodel.views import FrameView
from xenproofs.judge.trace.cases import PageState
from xenspec.vocabulary import PageType

Seen: TypeAlias = tuple[str, int, str, int, str]
"""`[type, type_count, type_flags, ref_count, ref_flags]`."""

FREE: Final[Seen] = ("free", 0, "", 0, "")
USUAL: Final[Seen] = ("wr", 1, "v", 2, "a")
"""What a fresh page of a case is, where the case does not say otherwise."""
WORDS: Final = {kind: "wr" if kind is PageType.WRITABLE else kind.name.lower() for kind in PageType}
Raw: TypeAlias = tuple[PageType, int, bool, bool, bool, bool, int, bool]
"""Type, type count, pinned, validated, partial, non-coherent, references, allocated."""
RAW: Final[Callable[[FrameView], Raw]] = attrgetter(
    "type", "type_count", "pinned", "validated", "partial", "noncoherent", "ref_count", "allocated"
)
"""Looks at a frame."""


def told(state: PageState) -> Seen:
    """Return what an answer says of a page."""
    return (state.type, state.type_count, state.type_flags, state.ref_count, state.ref_flags)


@cache
def seen(raw: Raw) -> Seen:
    """Return the page_info of a frame; a frame that nobody holds is free."""
    kind, count, pinned, validated, partial, noncoherent, references, allocated = raw
    if references == 0:
        return FREE
    flags = "p" * pinned + "v" * validated + "t" * partial + "n" * noncoherent
    return WORDS[kind], count, flags, references, "a" if allocated else ""
