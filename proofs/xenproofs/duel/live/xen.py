"""The live Xen: asked in batches, booted again whenever a case ended it or its fresh pages run out.

`begin` hands over a batch and returns at once, `collect` waits for the answers: between the two the caller
has time for its own work. A page is used by one case only, so that every case begins alike.
"""

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import Final, Literal, Self

from xenmodel.abi import pte
from xenproofs.duel.live import protocol
from xenproofs.duel.live.answers import Ended, decode
from xenproofs.duel.live.boot import Booted, boot
from xenproofs.duel.live.protocol import Command, Field, State
from xenproofs.duel.live.qemu import Died
from xenproofs.duel.live.request import Page, Places
from xenproofs.duel.live.script import encode
from xenproofs.duel.live.tools import Tools
from xenproofs.judge.trace.cases import Case
from xenproofs.judge.trace.naming import SpecialName
from xenproofs.judge.trace.questions import Question
from xenspec.vocabulary import PAGE_SIZE

TABLE_SPAN: Final = PAGE_SIZE << 9
"""Bytes that one level-1 table maps."""
ENTRIES: Final = 512
QUIET: Final = 1.0
"""Seconds without progress after which the console is looked at."""
HANG: Final = 20.0
"""Seconds without progress after which the machine is given up."""
TICK: Final = 0.0005
BOOTS_IN_VAIN: Final = 2
SHUTDOWN: Final = 1 << 2
"""XEN_DOMINF_shutdown."""
VIRT_BASE: Final = 0xFFFFFFFF80000000
INVALID_BEYOND: Final = 0x1000
MACHINE_FRAMES: Final[Mapping[SpecialName, int]] = {"mmio_vga": 0xB8, "mmio_lapic": 0xFEE00}


class Ground:
    """Fresh pages and foreign frames of one boot, handed out once each."""

    def __init__(self, booted: Booted) -> None:
        self._booted: Final = booted
        kernel = booted.kernel
        self._arena: Final = kernel.get(Field.ARENA)
        self._page_count: Final = kernel.get(Field.ARENA_PAGES)
        self._table_va: Final = {
            kernel.frame(va): va
            for va in range(
                kernel.get(Field.TABLES),
                kernel.get(Field.TABLES) + kernel.get(Field.TABLE_PAGES) * PAGE_SIZE,
                PAGE_SIZE,
            )
        }
        self._tables: Final[dict[int, int]] = {}
        # The other domain of a guest is Domain0, whose first frames its own kernel uses.
        self._next_page = self._next_foreign = 0
        top = kernel.memory.walk(kernel.root, self._arena).entries
        self.special: Final[dict[SpecialName, int]] = {
            **MACHINE_FRAMES,
            "bootl4": kernel.root,
            "bootl3": top[1] // PAGE_SIZE,
            "bootl2": top[2] // PAGE_SIZE,
            "shinfo": kernel.get(Field.SHARED_INFO),
            "gnt0": kernel.get(Field.GRANT_FRAME),
            "startinfo": kernel.get(Field.START_INFO),
            "xen": booted.xen_frame,
            "invalid": kernel.get(Field.MAX_PAGE) + INVALID_BEYOND,
        }

    def places(self, question: Question) -> Places | None:
        """Return fresh places for a case, or None where they are used up."""
        page, foreign = self._next_page, self._next_foreign
        if page + question.np > self._page_count or foreign + question.nf > len(self._booted.foreign):
            return None
        self._next_page += question.np
        self._next_foreign += question.nf
        boot_table, _ = self._table(self._arena + page * PAGE_SIZE)
        return Places(
            tuple(self._page(page + index) for index in range(question.np)),
            tuple(Page(mfn) for mfn in self._booted.foreign[foreign : foreign + question.nf]),
            {**self.special, "bootl1": boot_table // PAGE_SIZE},
            VIRT_BASE,
        )

    def _page(self, index: int) -> Page:
        va = self._arena + index * PAGE_SIZE
        table, table_va = self._table(va)
        offset = va // PAGE_SIZE % ENTRIES * 8
        mfn = pte.target(self._booted.kernel.memory.word(table + offset))
        return Page(mfn, va, table_va + offset, table + offset)

    def _table(self, va: int) -> tuple[int, int]:
        """Return machine address and own address of the level-1 table that maps an address."""
        region = va // TABLE_SPAN
        if region not in self._tables:
            kernel = self._booted.kernel
            self._tables[region] = kernel.memory.walk(kernel.root, va).entries[-1] // PAGE_SIZE
        frame = self._tables[region]
        return frame * PAGE_SIZE, self._table_va[frame]


@dataclass(frozen=True, slots=True)
class Batch:
    """What is being asked: each question with its places."""

    items: tuple[tuple[Question, Places], ...]


class Boot:
    """One boot of the machine: it is asked until it ends or is used up."""

    def __init__(self, tools: Tools, *, guest: bool, frame_table: bool) -> None:
        self.booted: Final = boot(tools, guest=guest, frame_table=frame_table)
        kernel = self.booted.kernel
        self._ground: Final = Ground(self.booted)
        self._script_bytes: Final = kernel.get(Field.SCRIPT_BYTES)
        self._results_bytes: Final = kernel.get(Field.RESULTS_BYTES)
        self._script: Final = kernel.buffer(kernel.get(Field.SCRIPT), self._script_bytes)
        self._results: Final = kernel.buffer(kernel.get(Field.RESULTS), self._results_bytes)
        self.alive = True

    def start(self, questions: Sequence[Question]) -> Batch:
        """Start asking as many of the questions as there is room for; none: this boot is used up.

        Where the answers go is cleared: a case that the machine does not come to has none, not an older one.
        """
        items: list[tuple[Question, Places]] = []
        script: list[bytes] = []
        used = expected = cleared = 0
        for question in questions:
            places = self._ground.places(question)
            if places is None:
                break
            encoded = encode(question, places)
            used += len(encoded)
            expected += protocol.result_bytes(len(question.ops), question.np + question.nf)
            if used > self._script_bytes or expected > self._results_bytes:
                break
            items.append((question, places))
            script.append(encoded)
            cleared = expected
        if items:
            self.booted.kernel.memory.write(self._results, bytes(cleared))
            self._run(b"".join(script), len(items))
        return Batch(tuple(items))

    def _run(self, script: bytes, cases: int) -> None:
        kernel = self.booted.kernel
        kernel.memory.write(self._script, script)
        for word, value in ((Field.CASES, cases), (Field.FINISHED, 0), (Field.ANSWERED, 0)):
            kernel.set(word, value)
        kernel.set(Field.STATE, State.RUNNING)
        kernel.set(Field.COMMAND, Command.RUN)

    def finish(self, batch: Batch) -> list[Case]:
        """Wait for the answers; the last case tells of it if the machine did not survive it."""
        ended = self._wait()
        kernel = self.booted.kernel
        finished = kernel.get(Field.FINISHED)
        self.alive = ended is None and finished == len(batch.items)
        cases: list[Case] = []
        offset, readable = self._results, self.booted.readable
        for number, (question, places) in enumerate(batch.items[: finished + (ended is not None)]):
            size = protocol.result_bytes(len(question.ops), question.np + question.nf)
            data = kernel.memory.read(offset, size)
            last = ended if number == finished else None
            cases.append(decode(data, question, places, readable=readable, ended=last))
            offset += size
        return cases

    def _wait(self) -> Ended | None:
        """Wait until the script has been played; return how the machine ended, if it did."""
        kernel, qemu = self.booted.kernel, self.booted.qemu
        progress, since = (-1, -1), time.monotonic()
        while kernel.get(Field.STATE) != State.READY:
            now, quiet = (kernel.get(Field.FINISHED), kernel.get(Field.ANSWERED)), time.monotonic() - since
            if now != progress:
                progress, since = now, time.monotonic()
            elif qemu.ended() or self._guest_ended() or (quiet > QUIET and qemu.stopped()):
                return Ended("crash", qemu.log())
            elif quiet > HANG:
                return Ended("hang", qemu.log())
            time.sleep(TICK)
        return None

    def _guest_ended(self) -> bool:
        watcher = self.booted.watcher
        return watcher is not None and bool(watcher.get(Field.GUEST_FLAGS) & SHUTDOWN)

    def close(self) -> None:
        """End the machine."""
        self.booted.qemu.close()


class LiveXen:
    """A real Xen that answers questions, over as many boots as it takes.

    Args:
        tools: what to run.
        by: who asks: Domain0 beside a passive domain, or an unprivileged guest beside Domain0.
        frame_table: whether Xen's frame table is made readable; without, answers show no page_info.
    """

    def __init__(
        self, tools: Tools, *, by: Literal["dom0", "guest"] = "dom0", frame_table: bool = True
    ) -> None:
        self._tools: Final = tools
        self._guest: Final = by == "guest"
        self._frame_table: Final = frame_table
        self._boot: Boot | None = None
        self._batch = Batch(())
        self.boots = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, where: TracebackType | None
    ) -> None:
        self.close()

    def version(self) -> str:
        """Return Xen's version; boots it if need be."""
        return self._ready().booted.version

    def begin(self, questions: Sequence[Question]) -> int:
        """Start asking; return how many of the questions, at least one, will be answered by `collect`.

        Raises:
            Died: the machine does not come up.
            Unaskable: a question names what it does not have.
        """
        if self._batch.items:
            raise RuntimeError("the batch before has not been collected")
        for _ in range(BOOTS_IN_VAIN):
            self._batch = self._ready().start(questions)
            if self._batch.items:
                return len(self._batch.items)
            self.close()
        raise Died("a fresh boot has no room for one case")

    def collect(self) -> list[Case]:
        """Wait for the answers to what was begun.

        There may be fewer than were begun: then the last case is the one that ended the machine.
        """
        if self._boot is None:
            return []
        batch, self._batch = self._batch, Batch(())
        cases = self._boot.finish(batch)
        if not self._boot.alive:
            self.close()
        return cases

    def ask(self, questions: Sequence[Question]) -> list[Case]:
        """Ask all questions and wait for all answers."""
        cases: list[Case] = []
        while len(cases) < len(questions):
            self.begin(questions[len(cases) :])
            cases += self.collect()
        return cases

    def close(self) -> None:
        """End the machine, if one runs."""
        if self._boot is not None:
            self._boot.close()
            self._boot = None

    def _ready(self) -> Boot:
        if self._boot is None:
            self._boot = Boot(self._tools, guest=self._guest, frame_table=self._frame_table)
            self.boots += 1
        return self._boot
