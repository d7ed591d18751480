"""Theorems about walks: what the invariants say of a whole walk, from a base pointer to the leaf.

They are no steps' obligations: each follows from the invariants of one state alone. A walk reads one word in
each of its tables; a word is used if it is present and lets user mode through, since a guest's kernel runs in
ring 3 too. Links to a table's own level, and to itself, are words like others: so a walk of four words may
end in an entry above L1. What Xen's own slots show to user mode is a *window* (the read-only M2P), and no
theorem speaks of what is behind it but that it is not writable.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from functools import reduce
from typing import TYPE_CHECKING, Final, Protocol

from xenmodel.memory.representation import is_xens
from xenmodel.memory.rows import NO_FRAME
from xenproofs.obligations.deciding import Decider, Obligation, solver
from xenproofs.obligations.outcomes import Kind, Outcome, StepReport
from xenproofs.obligations.proving import VACUOUS, Options, before
from xenproofs.obligations.realms import MEMORY
from xenproofs.solvers.cache import Cache
from xenproofs.solvers.verdict import Verdict
from xenproofs.symbolic.sorts import VCPU
from xenproofs.symbolic.terms import BOOL, INT, symbol
from xenproofs.symbolic.values import lift, wrap
from xenspec.logic import Not, conj, either, implies
from xenspec.vocabulary import SLOTS, WRITABLE, VcpuId

if TYPE_CHECKING:
    from collections.abc import Callable

    from xenmodel.memory.books import State as Books
    from xenproofs.symbolic.state import SymbolicMachine
    from xenproofs.symbolic.terms import Term
    from xenspec.memory.entries import AuthorRow, GrantedRow
    from xenspec.memory.frames import DomainRow
    from xenspec.table import ReadTable

NAME: Final = "walks"
"""The name of these theorems among the steps of a report."""
WORDS: Final = 4
"""Words that a walk reads."""


class State(Protocol):
    """What theorems about walks read beside the books of memory."""

    @property
    def domains(self) -> ReadTable[int, DomainRow]: ...  # noqa: D102 - named by its table
    @property
    def authors(self) -> ReadTable[tuple[int, int], AuthorRow]: ...  # noqa: D102
    @property
    def granted(self) -> ReadTable[tuple[int, int], GrantedRow]: ...  # noqa: D102


@dataclass(frozen=True, slots=True)
class Walk:
    """A walk over some state, from the top down."""

    state: State
    books: Books
    """The same state."""
    domain: int
    """Whose base pointer it starts from."""
    tables: tuple[int, ...]
    slots: tuple[int, ...]
    words: tuple[int, ...]
    frame: int
    """What the last word names."""

    @property
    def leaf(self) -> tuple[int, int]:
        """The key of the last entry."""
        return self.tables[-1], self.slots[-1]


def _walk(s: Books, rest: State, v: VcpuId, slots: tuple[int, ...], *, user: bool) -> Walk:
    """Return the walk by these slots from the kernel's base pointer of a virtual CPU, or from its user's."""
    tables: list[int] = [s.vcpus[v].user_base if user else s.vcpus[v].base]
    words: list[int] = []
    for slot in slots:
        words.append(s.words[tables[-1], slot])
        tables.append(s.pte.target(words[-1]))
    return Walk(rest, s, s.vcpus[v].domain, tuple(tables[:-1]), slots, tuple(words), tables[-1])


OVER: Final[Callable[..., Walk]] = _walk
"""The same for symbolic states and slots."""


# --- What is given ------------------------------------------------------------------------------------------


def read_by(w: Walk) -> bool:
    """User mode may read by the walk."""
    pte = w.books.pte
    used = (
        (slot >= 0) & (slot < SLOTS) & pte.present(word) & pte.user(word)
        for slot, word in zip(w.slots, w.words, strict=True)
    )
    return conj(w.tables[0] != NO_FRAME, *used)


def written_by(w: Walk) -> bool:
    """User mode may write by the walk: each of its words allows it."""
    return conj(read_by(w), *(w.books.pte.writable(word) for word in w.words))


# --- What follows -------------------------------------------------------------------------------------------


def _window(w: Walk, words: int = WORDS) -> bool:
    """One of the first words of the walk is in a slot of Xen's."""
    places = list(zip(w.tables, w.slots, strict=True))[:words]
    inside = [is_xens(w.books, table, slot) for table, slot in places]
    return reduce(lambda one, two: one | two, inside)


def writes_end_in_writable_memory(w: Walk) -> bool:
    """What a guest can write by a walk is a frame of type writable: no page table, no descriptors."""
    return implies(w.books.entries[w.leaf].backed, lambda: w.books.frames[w.frame].type == WRITABLE)


def writes_end_in_memory_of_ones_own(w: Walk) -> bool:
    """What a guest can write by a walk is its own, granted for writing, or mapped by the control domain."""
    s = w.state
    return implies(
        w.books.entries[w.leaf].backed,
        lambda: either(
            w.books.frames[w.frame].owner == w.domain,
            lambda: s.domains[s.authors[w.leaf].domain].privileged | s.granted[w.leaf].writable,
        ),
    )


def writes_without_a_reference_end_in_permitted_io(w: Walk) -> bool:
    """By an entry without a reference a guest can write only device memory that it may map writable."""
    frame = w.books.frames[w.frame]
    return implies(
        Not(w.books.entries[w.leaf].backed),
        lambda: frame.mappable_io & Not(frame.readonly_io) & w.state.domains[w.domain].io_rights,
    )


def writes_pass_no_link_to_their_own_level(w: Walk) -> bool:
    """A walk that can write passes one table of each level: no linear link, no link of a table to itself."""
    levels = zip(w.tables, range(WORDS, 0, -1), strict=True)
    return conj(*(w.books.frames[table].type == level for table, level in levels))


def reads_end_in_memory_of_ones_own(w: Walk) -> bool:
    """What a guest can read by a walk is its own, authorised, permitted device memory, or in Xen's window."""
    s, frame = w.state, w.books.frames[w.frame]
    return either(
        _window(w) | (frame.owner == w.domain),
        lambda: (
            (Not(w.books.entries[w.leaf].backed) & frame.mappable_io & s.domains[w.domain].io_rights)
            | s.domains[s.authors[w.leaf].domain].privileged
            | s.granted[w.leaf].readable
            | s.granted[w.leaf].writable
        ),
    )


def xens_window_is_read_only(w: Walk) -> bool:
    """A walk that passes one of Xen's own slots cannot write."""
    return implies(_window(w), lambda: Not(conj(*(w.books.pte.writable(word) for word in w.words))))


def no_walk_maps_much_at_once(w: Walk) -> bool:
    """No word above the last maps two megabytes or more at once, Xen's window apart."""
    return conj(
        *(
            either(_window(w, n + 1), lambda n=n: Not(w.books.pte.large(w.words[n])))  # type: ignore[misc]
            for n in range(WORDS - 1)
        )
    )


def walks_pass_validated_tables_of_ones_own(w: Walk) -> bool:
    """Every table that a walk passes is validated and its domain's, up to Xen's window."""

    def whole(n: int) -> bool:
        frame = w.books.frames[w.tables[n]]
        return (frame.type >= WORDS - n) & (frame.type <= WORDS) & frame.validated & (frame.owner == w.domain)

    later = (either(_window(w, n), lambda n=n: whole(n)) for n in range(1, WORDS))  # type: ignore[misc]
    return conj(whole(0), *later)


THEOREMS: Final = (
    (written_by, writes_end_in_writable_memory),
    (written_by, writes_end_in_memory_of_ones_own),
    (written_by, writes_without_a_reference_end_in_permitted_io),
    (written_by, writes_pass_no_link_to_their_own_level),
    (read_by, reads_end_in_memory_of_ones_own),
    (read_by, xens_window_is_read_only),
    (read_by, no_walk_maps_much_at_once),
    (read_by, walks_pass_validated_tables_of_ones_own),
)
"""What is given, and what follows."""


# --- Proving ------------------------------------------------------------------------------------------------


def walk_over(state: SymbolicMachine, *, user: bool) -> Walk:
    """Return an arbitrary walk of an arbitrary virtual CPU."""
    slots = tuple(wrap(symbol(f"walk_slot_{n}", INT), state.path) for n in range(WORDS))
    return OVER(state, state, wrap(symbol("walk_vcpu", VCPU), state.path), slots, user=user)


def prove_walks(options: Options) -> StepReport:
    """Prove every theorem, of walks from either base pointer."""
    began = time.perf_counter()
    report = StepReport(NAME, "memory", theorems=True)
    cache = Cache(NAME, enabled=options.cache)
    decider = Decider([solver(n, options.seed, options.rlimit) for n in options.solvers], cache)
    for number, (user, which) in enumerate(((False, "kernel"), (True, "user"))):
        for given, theorem in THEOREMS:
            name = f"{theorem.__name__} ({which})"
            walk = walk_over(before(options.disabled, options.without).state, user=user)
            asked = lift(given(walk), BOOL), lift(theorem(walk), BOOL)
            report.outcomes.append(_decided(decider, options, report, (number, name), asked))
    report.seconds = time.perf_counter() - began
    report.cached = sum(o.cached for o in report.outcomes)
    cache.save(keep=len(options.solvers) == 1)
    return report


def _decided(
    decider: Decider, options: Options, report: StepReport, title: tuple[int, str], asked: tuple[Term, Term]
) -> Outcome:
    """Decide whether a theorem follows from what is given, if any state gives it."""
    number, name = title
    given, goal = asked
    known = before(options.disabled, options.without).known[MEMORY.name]
    decision = decider.decide(Obligation(goal, [given], (), known))
    if options.keep_questions:
        report.questions.append((f"{NAME}-{number}-{name}", decision.question))
    kind, note = Kind.PROVED, ""
    if decision.contradiction or decider.ask(VACUOUS, [*known, given]).verdict is Verdict.UNSAT:
        kind, note = Kind.VACUOUS, "no state has such a walk"
    elif decision.failed is not None:
        kind, note = Kind.UNDECIDED, f"{decision.failed[0]} answers {decision.failed[1].value}"
    return Outcome(NAME, number, name, kind, decision.seconds, note, cached=decision.cached)
