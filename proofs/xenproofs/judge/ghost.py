"""The holders of each frame, as the steps tell them: ghost state of step-by-step checking.

`HolderSets` is a `Ghost` (xenmodel.memory.holders) that keeps exact sets and, beside them, the number of each
frame's holders; it never touches the real counts, so that "real count = ghost count" says something. Taking a
reference twice, dropping or moving one that is not there, is `IllegalHolder`: the step is wrong.
"""

from dataclasses import dataclass

from xenmodel.machine import Machine
from xenmodel.memory.holders import Holder
from xenproofs.judge.holdings import Hold, holds_of
from xenproofs.judge.recording import Recorder
from xenspec.table import PlainTable


class IllegalHolder(AssertionError):  # noqa: N818 - it is the holder that is illegal
    """A step took a reference for who has it already, or dropped one for who has it not."""

    def __init__(self, what: str, frame: int, holder: Holder, part: str) -> None:
        super().__init__(f"{what}: {holder} and the {part} reference of frame {frame:#x}")
        self.frame = frame
        self.holder = holder


@dataclass(slots=True)
class HoldRow:
    """What one holder has of one frame, keyed (frame, holder)."""

    typed: bool = False
    general: bool = False


@dataclass(slots=True)
class Counts:
    """The number of a frame's holders, and of the linear entries of and to a table."""

    typed: int = 0
    general: int = 0
    own: int = 0
    uses: int = 0


class HolderSets:
    """Sets of holders and their numbers, in tables that invariants can read."""

    __slots__ = ("counts", "held")

    def __init__(self) -> None:
        self.held: PlainTable[tuple[int, Holder], HoldRow] = PlainTable("held", lambda _: HoldRow())
        self.counts: PlainTable[int, Counts] = PlainTable("counts", lambda _: Counts())

    @classmethod
    def of(cls, m: Machine) -> "HolderSets":
        """Return the holders that a machine's rows show."""
        sets = cls()
        for frame, holder, typed, general in holds_of(m):
            sets.take(frame, holder, typed=typed, general=general)
        return sets

    def recorded(self, recorder: Recorder) -> None:
        """Let a recorder watch both tables."""
        self.held = recorder.watch(self.held, HoldRow)
        self.counts = recorder.watch(self.counts, Counts)

    def take(self, frame: int, holder: Holder, *, typed: bool, general: bool) -> None:
        """Add a holder, to the typed holders, the general ones, or both."""
        row, counts = self.held[frame, holder], self.counts[frame]
        if typed:
            if row.typed:
                raise IllegalHolder("taken twice", frame, holder, "type")
            row.typed = True
            counts.typed += 1
        if general:
            if row.general:
                raise IllegalHolder("taken twice", frame, holder, "general")
            row.general = True
            counts.general += 1

    def drop(self, frame: int, holder: Holder, *, typed: bool, general: bool) -> None:
        """Remove a holder."""
        row, counts = self.held[frame, holder], self.counts[frame]
        if typed:
            if not row.typed:
                raise IllegalHolder("dropped and not held", frame, holder, "type")
            row.typed = False
            counts.typed -= 1
        if general:
            if not row.general:
                raise IllegalHolder("dropped and not held", frame, holder, "general")
            row.general = False
            counts.general -= 1

    def move(self, frame: int, source: Holder, target: Holder, *, typed: bool, general: bool) -> None:
        """Rename a holder: no count changes."""
        self.drop(frame, source, typed=typed, general=general)
        self.take(frame, target, typed=typed, general=general)

    def holders_of(self, frame: int) -> list[Hold]:
        """Return the holders of a frame."""
        return [
            Hold(f, holder, row.typed, row.general)
            for (f, holder), row in self.held.rows()
            if f == frame and (row.typed or row.general)
        ]
