"""The guest's side of grant tables: it stores into the pages shared with it, whatever it likes."""

from xenmodel.machine import Machine
from xenmodel.memory.rows import NO_FRAME
from xenmodel.step import require, step
from xenspec.vocabulary import EINVAL, GrantFrameId


@step("words.word")
def write_entry(m: Machine, p: GrantFrameId, slot: int, word: int) -> None:
    """Store a word into a page of a domain's grant table."""
    frame = m.grant_frames[p].frame
    require("the page is there", frame != NO_FRAME, EINVAL)
    require("the slot exists", (slot >= 0) & (slot < m.pte.slots), EINVAL)
    m.words[frame, slot] = word
