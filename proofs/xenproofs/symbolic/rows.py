"""Symbolic tables and rows: `m.frames[f].type_count = …` over any number of frames."""

from __future__ import annotations

from typing import TYPE_CHECKING

from xenproofs.symbolic import terms
from xenproofs.symbolic.fields import Field
from xenproofs.symbolic.sorts import K_DOMAIN, K_VCPU, PARTS, VCPU
from xenproofs.symbolic.terms import BOOL, INT
from xenproofs.symbolic.traps import ConstantError, DeclaredTwiceError
from xenproofs.symbolic.values import Decider, Truth, Value, lift, wrap

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from xenproofs.symbolic.fields import Keys
    from xenproofs.symbolic.scope import Scope
    from xenproofs.symbolic.sorts import Kind
    from xenproofs.symbolic.terms import Sort, Term


class SymbolicRow:
    """The fields of one key's row."""

    __slots__ = ("_keys", "_table")

    def __init__(self, table: SymbolicTable, keys: Keys) -> None:
        object.__setattr__(self, "_table", table)
        object.__setattr__(self, "_keys", keys)

    def __getattr__(self, name: str) -> Value:
        table: SymbolicTable = object.__getattribute__(self, "_table")
        keys: Keys = object.__getattribute__(self, "_keys")
        return wrap(table.field(name).read(keys), table.run)

    def __setattr__(self, name: str, value: object) -> None:
        table: SymbolicTable = object.__getattribute__(self, "_table")
        keys: Keys = object.__getattribute__(self, "_keys")
        table.write(keys, name, value)


class SymbolicTable:
    """A table whose keys are of any number; `listener` hears of each write before it is done."""

    __slots__ = ("fields", "forgetter", "fresh", "kinds", "listener", "name", "run", "scope")

    def __init__(
        self,
        name: str,
        kinds: tuple[Kind, ...],
        fields: Mapping[str, Sort],
        run: Decider,
        scope: Scope | None = None,
    ) -> None:
        self.name = name
        self.kinds = kinds
        self.run = run
        self.scope = scope
        domain = tuple(kind.sort for kind in kinds)
        self.fields = {key: Field(f"{name}.{key}", domain, sort) for key, sort in fields.items()}
        self.listener: Callable[[Keys, str, object], None] | None = None
        self.forgetter: Callable[[Callable[[Keys], Term]], None] | None = None
        """Hears which keys are forgotten, before they are."""
        self.fresh: Callable[[str, Keys], Term] | None = None
        """Gives what a field holds in a row that nobody has written."""

    def __getitem__(self, key: object) -> SymbolicRow:
        return SymbolicRow(self, self.keys(key))

    def __setitem__(self, key: object, row: object) -> None:
        raise DeclaredTwiceError(f"{self.name}[{key!r}] would get a second row")

    def each(self, first: object, end: object, holds: Callable[[Value], object]) -> Truth:
        """Return whether something holds of each number first .. end-1, which are last parts of keys."""
        if self.scope is None:
            raise ConstantError(f"nothing ranges over {self.name}")
        least, limit = lift(first, INT), lift(end, INT)

        def body(numbers: Keys) -> Term:
            within = [terms.order("<=", least, numbers[0]), terms.order("<", numbers[0], limit)]
            return terms.implication(terms.conjunction(within), lift(holds(wrap(numbers[0], self.run)), BOOL))

        return Truth(self.scope.forall(self.kinds[-1:], body, f"each_{self.name}"), self.run)

    def forget(self, domain: object, /, *kept: str) -> None:
        """Make every row of a domain, and of its virtual CPUs, as new, but for the fields that are kept."""
        fresh, number, first = self.fresh, lift(domain, INT), self.kinds[0]
        if fresh is None or first not in (K_DOMAIN, K_VCPU):
            raise ConstantError(f"nobody's domain is known by the keys of {self.name}")

        def of_domain(keys: Keys) -> Term:
            its = keys[0] if first == K_DOMAIN else terms.apply(PARTS[VCPU, 0], keys[0])
            return terms.equal(its, number)

        if self.forgetter is not None:
            self.forgetter(of_domain)
        elif self.listener is not None:
            raise ConstantError(f"who counts the rows of {self.name} would not hear that they are forgotten")
        for name, changed in self.fields.items():
            if name not in kept:
                changed.write_where(of_domain, lambda keys, n=name: fresh(n, keys))  # type: ignore[misc]

    def keys(self, key: object) -> Keys:
        """Return the terms of a key, which may be a tuple."""
        parts: tuple[object, ...] = (key,) if len(self.kinds) == 1 else _parts(key)
        if len(parts) != len(self.kinds):
            raise ConstantError(f"{self.name} is not keyed by {key!r}")
        return tuple(lift(part, kind.sort) for part, kind in zip(parts, self.kinds, strict=True))

    def field(self, name: str) -> Field:
        """Return a field by its name."""
        try:
            return self.fields[name]
        except KeyError:
            raise AttributeError(f"rows of {self.name} have no field {name}") from None

    def write(self, keys: Keys, name: str, value: object) -> None:
        """Set a field at some keys."""
        changed = self.field(name)
        if self.listener is not None:
            self.listener(keys, name, value)
        changed.write(keys, lift(value, changed.range))


def _parts(key: object) -> tuple[object, ...]:
    if not isinstance(key, tuple):
        raise ConstantError(f"{key!r} is no tuple of keys")
    return tuple(key)  # pyright: ignore[reportUnknownArgumentType, reportUnknownVariableType]
