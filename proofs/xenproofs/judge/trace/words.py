"""The numbers of a recording, and the base of everything that is decoded from one.

No union here joins a constrained integer with a tuple of fixed length: msgspec 0.22 mixes up the two
constraints, and then crashes the interpreter.

All numbers are plain JSON integers of 64 bits, unsigned but for return codes. The decoder refuses floats,
booleans and negative numbers by type; `check_width` refuses what is wider than a machine word, which it
cannot.
"""

from collections.abc import Mapping, Sequence
from typing import Annotated, TypeAlias, TypeGuard

import msgspec
from msgspec import Meta

from xenspec.vocabulary import DomId, Mfn, Pfn, Slot, Va, Word

U64 = Annotated[int, Meta(ge=0)]
S64 = Annotated[int, Meta(ge=-(2**63), le=2**63 - 1)]
U16 = Annotated[int, Meta(ge=0, le=0xFFFF)]
U8 = Annotated[int, Meta(ge=0, le=0xFF)]
Flag = Annotated[int, Meta(ge=0, le=1)]
SlotU9 = Annotated[Slot, Meta(ge=0, le=511)]
MfnU64 = Annotated[Mfn, Meta(ge=0)]
PfnU64 = Annotated[Pfn, Meta(ge=0)]
VaU64 = Annotated[Va, Meta(ge=0)]
WordU64 = Annotated[Word, Meta(ge=0)]
DomIdU16 = Annotated[DomId, Meta(ge=0, le=0xFFFF)]

Json: TypeAlias = "int | str | bool | Sequence[Json] | Mapping[str, Json] | None"
"""What a recording may contain where its shape is not known: anything of JSON but floats."""


class Wire(msgspec.Struct, frozen=True, gc=False, forbid_unknown_fields=True):
    """Base of the decoded structs: frozen, and a field that it does not name is an error, never dropped."""


class SlotWord(Wire, frozen=True, array_like=True):
    """One word of a frame: `[slot, word]`."""

    slot: SlotU9
    word: WordU64


class Misfit(Exception):  # noqa: N818 - named like BadInput, which it becomes
    """A value does not fit its place; the reader that knows file and line turns it into a `BadInput`."""

    def __init__(self, field: str | None, message: str) -> None:
        super().__init__(field, message)
        self.field = field
        self.message = message

    def inside(self, prefix: str) -> "Misfit":
        """The same, seen from outside: `va` inside `args` is `args.va`."""
        if self.field is None:
            return Misfit(prefix, self.message)
        return Misfit(f"{prefix}{'' if self.field.startswith('[') else '.'}{self.field}", self.message)


def is_list(value: object) -> TypeGuard[Sequence[object]]:
    """Whether this is a list, of anything."""
    return isinstance(value, list | tuple)


def is_object(value: object) -> TypeGuard[Mapping[str, object]]:
    """Whether this is an object of JSON."""
    return isinstance(value, dict)


def as_json(value: object, field: str = "") -> Json:
    """Check that a value of unknown shape holds nothing but integers, texts, lists and objects.

    Raises:
        Misfit: it holds a float, or an integer outside -2^63..2^64-1.
    """
    if value is None or isinstance(value, bool | str):
        return value
    if isinstance(value, int):
        if not -(2**63) <= value < 2**64:
            raise Misfit(field or None, f"{value} is wider than 64 bits")
        return value
    if is_list(value):
        return [as_json(item, f"{field}[{index}]") for index, item in enumerate(value)]
    if is_object(value):
        return {str(key): as_json(item, f"{field}.{key}" if field else key) for key, item in value.items()}
    raise Misfit(field or None, f"expected an integer, got {type(value).__name__}")
