"""What the asking program sees of a page: its page_info, as the answers write it."""

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
FLAGS: Final = {
    (pinned, validated, partial, noncoherent): (
        "p" * pinned + "v" * validated + "t" * partial + "n" * noncoherent
    )
    for pinned in (False, True)
    for validated in (False, True)
    for partial in (False, True)
    for noncoherent in (False, True)
}


def told(state: PageState) -> Seen:
    """Return what an answer says of a page."""
    return (state.type, state.type_count, state.type_flags, state.ref_count, state.ref_flags)


def seen(frame: FrameView) -> Seen:
    """Return the page_info of a frame; a frame that nobody holds is free."""
    if frame.ref_count == 0:
        return FREE
    return (
        WORDS[frame.type],
        frame.type_count,
        FLAGS[frame.pinned, frame.validated, frame.partial, frame.noncoherent],
        frame.ref_count,
        "a" if frame.allocated else "",
    )
