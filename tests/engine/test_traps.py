"""What symbolic execution cannot follow faithfully is an error of its own, never a smaller proof."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from xenmodel.machine import TABLES
from xenproofs.symbolic.census import GRANT_FAMILIES
from xenproofs.symbolic.paths import MOST_DECISIONS, Path, explore
from xenproofs.symbolic.scope import Unbounded
from xenproofs.symbolic.sorts import FRAME
from xenproofs.symbolic.state import SCHEMA, SymbolicMachine, row_sorts
from xenproofs.symbolic.terms import (
    BOOL,
    INT,
    SortError,
    apply,
    conjunction,
    equal,
    forall,
    symbol,
    variable,
)
from xenproofs.symbolic.traps import (
    ConstantError,
    DeclaredTwiceError,
    KeyUseError,
    LoopError,
    OutsideStepError,
    SoundnessError,
)
from xenproofs.symbolic.values import Key, Number, Truth

if TYPE_CHECKING:
    from collections.abc import Callable

CONFINED = Path((), lambda _: True)


def machine(*, running: bool = True) -> SymbolicMachine:
    return SymbolicMachine(Path((), lambda _: True, running=running), Unbounded())


FLAG = Truth(symbol("flag", BOOL), CONFINED)
COUNT = Number(symbol("count", INT), CONFINED)
PAGE = Key(symbol("page", FRAME), CONFINED)


@pytest.mark.parametrize(
    ("misuse", "error"),
    [
        (lambda: {COUNT: 1}, KeyUseError),
        (lambda: hash(PAGE), KeyUseError),
        (lambda: int(COUNT), KeyUseError),
        (lambda: "ab"[COUNT], KeyUseError),
        (lambda: list(PAGE), KeyUseError),  # pyright: ignore[reportUnknownLambdaType]
        (lambda: range(COUNT), KeyUseError),
        (lambda: bool(COUNT), SoundnessError),
        (lambda: bool(PAGE), SoundnessError),
        (lambda: ~FLAG, SoundnessError),
        (lambda: FLAG & 1, ConstantError),
        (lambda: COUNT == True, ConstantError),  # noqa: E712 - a truth value is no count
        (lambda: PAGE == 5, ConstantError),
        (lambda: COUNT + PAGE, ConstantError),
        (lambda: COUNT < 1.5, ConstantError),
    ],
)
def test_a_misused_value_is_an_error(misuse: Callable[[], object], error: type[Exception]) -> None:
    with pytest.raises(error):
        misuse()


def test_a_truth_value_outside_a_step_is_an_error() -> None:
    with pytest.raises(OutsideStepError):
        bool(machine(running=False).frames[PAGE].validated)


def test_a_loop_over_a_symbolic_bound_is_an_error() -> None:
    def loop(path: Path) -> None:
        n = Number(symbol("n", INT), path)
        i = 0
        while n > i:
            i += 1

    with pytest.raises(LoopError):
        list(explore(loop, lambda _: True))
    assert MOST_DECISIONS > 20


def test_a_row_is_not_made_twice() -> None:
    with pytest.raises(DeclaredTwiceError):
        machine().frames[PAGE] = object()


def test_a_field_keeps_its_sort() -> None:
    m = machine()
    with pytest.raises(ConstantError):
        m.frames[PAGE].validated = 1
    with pytest.raises(ConstantError):
        m.frames[PAGE].type_count = True
    with pytest.raises(AttributeError):
        m.frames[PAGE].no_such_field = 0


def test_a_variable_is_not_bound_twice() -> None:
    x = variable("x", INT)
    inner = forall([x], equal(x, symbol("a", INT)))
    with pytest.raises(SortError):
        forall([x], conjunction([inner, equal(x, symbol("b", INT))]))


def test_a_function_takes_its_own_sorts() -> None:
    m = machine()
    with pytest.raises(SortError):
        apply(m.frames.field("type").before, symbol("n", INT))


def test_only_rows_of_domains_are_forgotten_with_one() -> None:
    m = machine()
    for table in (m.tables["frames"], m.tables["tlb"]):
        with pytest.raises(ConstantError):
            table.forget(1)
    m.tables["handlers"].forget(1)
    assert m.written() == ["handlers.running", "handlers.cursor"]


def test_that_counted_rows_are_not_forgotten_is_claimed() -> None:
    m = machine()
    m.tables["mappings"].forget(1)
    names = {name for name, _ in m.path.claims}
    assert names == {"no row that is counted is forgotten"}
    assert len(m.path.claims) == len(GRANT_FAMILIES) - 2
    assert not m.used.field("count").updates
    m.tables["ports"].forget(1)
    assert m.used.field("count").updates


@pytest.mark.parametrize("table", sorted(SCHEMA))
def test_the_schema_names_tables_of_the_machine(table: str) -> None:
    assert table in TABLES
    assert row_sorts(SCHEMA[table][0])
