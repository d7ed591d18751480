"""Entries of grant tables as uninterpreted words: where they are, and what they say.

Of these functions nothing is assumed: a guest stores what it likes into its entries, so that whatever a
decoder reads there may be read. How many entries a table has is computed as xenmodel.abi does.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from xenmodel.abi.grant import GrantEntries
from xenproofs.symbolic import terms
from xenproofs.symbolic.sorts import FRAME, WORD
from xenproofs.symbolic.terms import BOOL, INT, Symbol
from xenproofs.symbolic.values import Key, Number, Truth, lift

if TYPE_CHECKING:
    from xenproofs.symbolic.terms import Sort, Term
    from xenproofs.symbolic.values import Decider

_ONE_PAGE: Final = {version: GrantEntries.entries(version, 1) for version in (1, 2)}
"""Entries in a page, by version."""


def _function(name: str, *sorts: Sort) -> Symbol:
    """Return a function by its name, the sorts of its arguments, and last that of its value."""
    return Symbol(f"grant_{name}", sorts[:-1], sorts[-1])


PAGE: Final = _function("page", INT, INT, INT)
SLOT: Final = _function("slot", INT, INT, INT)
STATUS_PAGE: Final = _function("status_page", INT, INT)
STATUS_SLOT: Final = _function("status_slot", INT, INT)
PERMITS: Final = _function("permits", WORD, BOOL, BOOL)
TRANSITIVE: Final = _function("transitive", WORD, BOOL)
THROUGH: Final = (_function("through_domain", WORD, INT), _function("through_ref", WORD, INT))
ACCEPTS: Final = _function("accepts_transfer", WORD, BOOL)
READONLY: Final = _function("readonly", WORD, BOOL)
SUB_PAGE: Final = _function("sub_page", WORD, BOOL)
DOMAIN: Final = _function("domain", WORD, INT)
NAMED: Final = _function("frame", INT, WORD, WORD, FRAME)
PFN: Final = _function("pfn", INT, WORD, WORD, INT)
START: Final = _function("start", WORD, INT)
LENGTH: Final = _function("length", WORD, INT)
USED: Final = _function("used", WORD, BOOL, WORD)
UNUSED: Final = _function("unused", WORD, BOOL, BOOL, WORD)
USED_STATUS: Final = _function("used_status", WORD, INT, BOOL, WORD)
UNUSED_STATUS: Final = _function("unused_status", WORD, INT, BOOL, BOOL, WORD)
STATUS_FROM: Final = _function("status_from", WORD, INT, WORD, INT, WORD)
AS_OLD: Final = _function("as_old", WORD, WORD, WORD, INT, WORD)
AS_NEW: Final = tuple(_function(f"as_new_{part}", WORD, WORD) for part in range(3))
COMMITTED: Final = _function("committed", WORD, WORD)
COMPLETED: Final = _function("completed", WORD, WORD)
WITH_FRAME: Final = tuple(_function(f"with_frame_{part}", INT, WORD, WORD, FRAME, WORD) for part in range(2))
SLOT_OF: Final = _function("slot_of", INT, INT)
SPLICED: Final = tuple(
    _function(f"spliced_{part}", WORD, WORD, INT, WORD, WORD, INT, INT, WORD) for part in range(2)
)


class SymbolicGrants:
    """The decoders of an entry: xenmodel.abi.grant.GrantFormat."""

    __slots__ = ("run",)

    def __init__(self, run: Decider) -> None:
        self.run = run

    def _apply(self, function: Symbol, *arguments: object) -> Term:
        return terms.apply(function, *(lift(a, s) for a, s in zip(arguments, function.domain, strict=True)))

    def _truth(self, function: Symbol, *arguments: object) -> Truth:
        return Truth(self._apply(function, *arguments), self.run)

    def _number(self, function: Symbol, *arguments: object) -> Number:
        return Number(self._apply(function, *arguments), self.run)

    def _key(self, function: Symbol, *arguments: object) -> Key:
        return Key(self._apply(function, *arguments), self.run)

    # --- Places ---------------------------------------------------------------------------------------------

    def place(self, version: object, ref: object) -> tuple[Number, Number]:
        """Return the page of an entry, and the slot of its first word."""
        return self._number(PAGE, version, ref), self._number(SLOT, version, ref)

    def status_place(self, ref: object) -> tuple[Number, Number]:
        """Return the status page of an entry, and the slot of the word with its status."""
        return self._number(STATUS_PAGE, ref), self._number(STATUS_SLOT, ref)

    def entries(self, version: object, frames: object) -> Number:
        """Return how many entries so many pages have."""
        n = lift(frames, INT)
        old, new = (terms.times(_ONE_PAGE[v], n) for v in (1, 2))
        first = terms.equal(lift(version, INT), terms.integer(1))
        return Number(terms.choice(first, old, new), self.run)

    def slot_of(self, offset: object) -> Number:
        """Return the slot of the word that a byte of a page is in."""
        return self._number(SLOT_OF, offset)

    # --- What an entry says ---------------------------------------------------------------------------------

    def permits(self, word: object, *, whole: object) -> Truth:
        """Return whether an entry lets its domain in."""
        return self._truth(PERMITS, word, whole)

    def transitive(self, word: object) -> Truth:
        """Return whether an entry passes on what another domain grants."""
        return self._truth(TRANSITIVE, word)

    def through(self, first: object, second: object) -> tuple[Number, Number]:
        """Return the domain and the reference that a transitive entry names."""
        return self._number(THROUGH[0], first), self._number(THROUGH[1], second)

    def accepts_transfer(self, word: object) -> Truth:
        """Return whether an entry waits for a frame."""
        return self._truth(ACCEPTS, word)

    def readonly(self, word: object) -> Truth:
        """Return whether an entry grants no writing."""
        return self._truth(READONLY, word)

    def sub_page(self, word: object) -> Truth:
        """Return whether an entry grants a part of its page only."""
        return self._truth(SUB_PAGE, word)

    def domain(self, word: object) -> Number:
        """Return the domain that an entry is for."""
        return self._number(DOMAIN, word)

    def frame(self, version: object, first: object, second: object) -> Key:
        """Return the frame that an entry names."""
        return self._key(NAMED, version, first, second)

    def pfn(self, version: object, first: object, second: object) -> Number:
        """Return the number that stands in an entry for its frame."""
        return self._number(PFN, version, first, second)

    def part(self, first: object) -> tuple[Number, Number]:
        """Return what an entry for a part of a page grants."""
        return self._number(START, first), self._number(LENGTH, first)

    # --- What Xen writes ------------------------------------------------------------------------------------

    def used(self, word: object, *, writing: object) -> Key:
        """Return a word with the flags of an entry in use set."""
        return self._key(USED, word, writing)

    def unused(self, word: object, *, reading: object, writing: object) -> Key:
        """Return a word with these flags cleared."""
        return self._key(UNUSED, word, reading, writing)

    def used_status(self, word: object, ref: object, *, writing: object) -> Key:
        """Return a word of status with the flags of an entry set."""
        return self._key(USED_STATUS, word, ref, writing)

    def unused_status(self, word: object, ref: object, *, reading: object, writing: object) -> Key:
        """Return a word of status with the flags of an entry cleared."""
        return self._key(UNUSED_STATUS, word, ref, reading, writing)

    def status_from(self, word: object, ref: object, source: object, other: object) -> Key:
        """Return a word in which an entry has the status of another one."""
        return self._key(STATUS_FROM, word, ref, source, other)

    def as_old(self, first: object, second: object, status: object, ref: object) -> Key:
        """Return an entry of version 2 as one of version 1."""
        return self._key(AS_OLD, first, second, status, ref)

    def as_new(self, word: object) -> tuple[Key, ...]:
        """Return an entry of version 1 as one of version 2, and its status."""
        return tuple(self._key(function, word) for function in AS_NEW)

    def committed(self, word: object) -> Key:
        """Return an entry that a transfer has been promised to."""
        return self._key(COMMITTED, word)

    def completed(self, word: object) -> Key:
        """Return an entry whose transfer is complete."""
        return self._key(COMPLETED, word)

    def with_frame(self, version: object, first: object, second: object, frame: object) -> tuple[Key, ...]:
        """Return the words of an entry that names another frame."""
        return tuple(self._key(function, version, first, second, frame) for function in WITH_FRAME)

    def spliced(
        self,
        given: tuple[object, object],
        source: object,
        kept: tuple[object, object],
        target: object,
        count: object,
    ) -> tuple[Key, ...]:
        """Return two words after a copy into them."""
        return tuple(self._key(f, *given, source, *kept, target, count) for f in SPLICED)
