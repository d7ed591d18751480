"""Formulas that are not expanded, each with something in it that has another meaning in the expanded text."""

from __future__ import annotations

from typing import TYPE_CHECKING

from xenspec.logic import Not, either, implies
from xenspec.vocabulary import Mfn

if TYPE_CHECKING:
    from xenspec.memory.entries import MemoryState


def decides_by_if(s: MemoryState, f: Mfn) -> bool:
    if s.frames[f].pinned:
        return s.frames[f].validated
    return True


def loops(s: MemoryState, f: Mfn) -> bool:
    return all(s.frames[g].pinned for g in (f, Mfn(f + 1)))


def loses_what_is_vacuous(s: MemoryState, f: Mfn) -> bool:
    return Not(implies(s.frames[f].pinned, lambda: s.frames[f].validated))


def may_be_vacuous_beside(s: MemoryState, f: Mfn) -> bool:
    row = s.frames[f]
    return either(row.allocated, lambda: implies(row.pinned, lambda: row.validated))


def binds_a_name_twice(s: MemoryState, f: Mfn) -> bool:
    row = s.frames[f]
    row = s.frames[Mfn(row.type)]
    return row.pinned


def hands_a_row_on(s: MemoryState, f: Mfn) -> bool:
    return s.frames[f] == s.frames[Mfn(f + 1)]


def calls_itself(s: MemoryState, f: Mfn) -> bool:
    return s.frames[f].pinned & calls_itself(s, f)


def calls_what_is_no_formula(s: MemoryState, f: Mfn) -> bool:
    return bool(s.frames[f].type)


def leaves_an_argument_out(s: MemoryState, f: Mfn) -> bool:
    return _with_default(s, f)


def _with_default(s: MemoryState, f: Mfn, *, pinned: bool = True) -> bool:
    return s.frames[f].pinned == pinned
