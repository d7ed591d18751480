"""What the asking program sees of a page: its page_info, as the answers write it."""

from typing import Final, TypeAlias

from xenmodel.views import FrameView
from xenspec.vocabulary import PageType

Seen: TypeAlias = tuple[str, int, str, int, str]
"""`[type, type_count, type_flags, ref_count, ref_flags]`."""

FREE: Final[Seen] = ("free", 0, "", 0, "")
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
