"""What may be walked keeps its words: a lemma between a step that writes many words, and what it must keep.

After a step that writes two dozen words, a word is a chain of as many conditional values; solvers split on
each of them wherever a statement reads a word. So it is proved first that the step leaves alone the words of
what was a table and may still be walked (`NAME`), and then the statement of *any* words that agree with those
before there: of a function of which nothing else is known. Both together say the statement of the step.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from xenmodel.hardware.representation import may_be_walked
from xenproofs.obligations.statements import in_range
from xenproofs.symbolic import terms
from xenproofs.symbolic.fields import Field
from xenproofs.symbolic.sorts import K_CPU, K_FRAME, K_SLOT
from xenproofs.symbolic.terms import BOOL
from xenproofs.symbolic.values import lift, wrap

if TYPE_CHECKING:
    from collections.abc import Callable

    from xenproofs.obligations.statements import Statement
    from xenproofs.symbolic.state import SymbolicMachine
    from xenproofs.symbolic.terms import Term

NAME: Final = "words_of_what_may_be_walked_stay"
SENTENCE: Final = "The step leaves alone the words of what was a table and may still be walked."
BY_IT: Final[dict[str, frozenset[str]]] = {
    "change_version": frozenset(
        {"word_of_a_demoted_table_leads_to_a_table", "word_of_a_demoted_l1_table_leads_to_memory"}
    ),
}
"""By step, the statements that are proved by this lemma."""
GIVEN: Final = (
    "demoted_frame_is_nothing_else_yet",
    "page_of_a_table_is_writable_memory",
    "page_of_status_is_writable_memory",
    "flush_precedes_the_work",
    "no_frame_is_free_and_no_memory",
)
"""What the lemma follows from."""
_KINDS: Final = (K_CPU, K_FRAME, K_SLOT)


def words_stay(before: SymbolicMachine, words: Field) -> Term:
    """Return that `words` hold what the words before do, wherever a CPU may still walk."""

    def kept(keys: tuple[Term, ...]) -> Term:
        cpu, table, _ = (wrap(key, before.path) for key in keys)
        walked = terms.conjunction([in_range(_KINDS, keys), lift(_walked()(before, cpu, table), BOOL)])
        return terms.implication(walked, terms.equal(words.read(keys[1:]), before.words.field.read(keys[1:])))

    return before.scope.forall(_KINDS, kept, "walked")


def _walked() -> Callable[..., object]:
    """Return the model's text, to be read over a symbolic state."""
    return may_be_walked


def any_words(machine: SymbolicMachine) -> Field:
    """Return words of which nothing is known."""
    field = machine.words.field
    return Field(f"{field.name}.any", field.domain, field.range)


def of_words(statement: Statement, machine: SymbolicMachine, words: Field) -> Term:
    """Return a statement of a machine with other words."""
    own = machine.words.field
    machine.words.field = words
    try:
        return statement.formula(machine)
    finally:
        machine.words.field = own
