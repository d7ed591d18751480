"""What page-table entries and cached translations of another domain's frame rest on: ghost state of proofs.

An entry that was stored for a grant *rests* on the handle that it was stored for, and is its *place*.
A handle ends with any entry that maps what it mapped, be it another handle's: then the two exchange their
entries. A translation rests on the handle of the entry that it was filled from, and once that handle is
unmapped on the unmapping, until its flush is over. So "as many entries as mappings" is said without a sum.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from xenproofs.symbolic import terms
from xenproofs.symbolic.rows import SymbolicTable
from xenproofs.symbolic.sorts import FRAME, K_CPU, K_DOMAIN, K_FRAME, K_HANDLE, K_PAGE, K_SLOT, VCPU
from xenproofs.symbolic.terms import BOOL, FALSE, INT, TRUE
from xenproofs.symbolic.values import Truth, lift

if TYPE_CHECKING:
    from collections.abc import Mapping

    from xenproofs.symbolic.fields import Keys
    from xenproofs.symbolic.paths import Path
    from xenproofs.symbolic.terms import Term

HANDLE = "handle"


class Matching:
    """Entries, handles and translations by what they rest on, before and after a step."""

    __slots__ = ("arguments", "backers", "pasts", "places", "rests", "tables")

    def __init__(self, tables: Mapping[str, SymbolicTable], path: Path) -> None:
        self.tables = tables
        self.arguments: dict[str, object] = {}
        """The step's arguments, by name."""
        self.rests = SymbolicTable("rests", (K_FRAME, K_SLOT), {HANDLE: INT}, path)
        self.places = SymbolicTable("places", (K_DOMAIN, K_HANDLE), {"table": FRAME, "slot": INT}, path)
        fields = {HANDLE: INT, "waits": BOOL, "vcpu": VCPU, "place": INT}
        self.backers = SymbolicTable("backers", (K_CPU, K_PAGE), fields, path)
        past = {"foreign": BOOL, "waits": BOOL, "vcpu": VCPU, "place": INT}
        self.pasts = SymbolicTable("pasts", (K_FRAME, K_SLOT), past, path)
        tables["tlb"].listener = self._fills

    def links(self, entry: Keys, value: object) -> None:
        """Hear that an entry is linked, or is not any more."""
        if value is not True:
            self._leaves(entry)
        if "h" not in self.arguments:
            return
        handle = self.tables["mappings"].keys(self.arguments["h"])
        if value is not True:
            self._ends(entry, handle)
            return
        self.rests.field(HANDLE).write(entry, handle[1])
        for part, name in zip(entry, ("table", "slot"), strict=True):
            self.places.field(name).write(handle, part)

    def _leaves(self, entry: Keys) -> None:
        """Remember whether an unlinked entry mapped another domain's frame; it rests on what it did."""
        owner, target = self.tables["frames"].field("owner"), self.tables["entries"].field("target")
        same = terms.equal(owner.read((target.read(entry),)), owner.read(entry[:1]))
        self.pasts.field("foreign").write(entry, terms.negation(same))
        self.pasts.field("waits").write(entry, FALSE)

    def _ends(self, entry: Keys, handle: Keys) -> None:
        """Have the handle that an entry rests on take over the linked entry of the one that ends with it."""
        rests, owner = self.rests.field(HANDLE), self.tables["frames"].field("owner")
        table, slot = (self.places.field(name) for name in ("table", "slot"))
        other = (handle[0], rests.read(entry))
        left = (table.read(handle), slot.read(handle))
        exchanged = terms.conjunction(
            [
                self.tables["entries"].field("linked").read(left),
                terms.equal(owner.read(left[:1]), handle[0]),
                terms.equal(rests.read(left), handle[1]),
                terms.equal(table.read(other), entry[0]),
                terms.equal(slot.read(other), entry[1]),
            ]
        )
        rests.write(left, terms.choice(exchanged, other[1], rests.read(left)))
        for field, part in ((table, left[0]), (slot, left[1])):
            field.write(other, terms.choice(exchanged, part, field.read(other)))
        if "i" in self.arguments:
            self._waits(handle, self.tables["unmappings"].keys(self.arguments["i"]))

    def _waits(self, handle: Keys, unmapping: Keys) -> None:
        """Have what rested on a handle rest on its unmapping: translations, and words of demoted tables."""
        number, waits = self.backers.field(HANDLE).snapshot(), self.backers.field("waits").snapshot()
        domain = self.tables["tlb"].field("domain").read

        def rested(k: Keys) -> Term:
            named = [terms.equal(number(k), handle[1]), terms.equal(domain(k), handle[0])]
            return terms.conjunction([terms.negation(waits(k)), *named])

        for name, value in (("waits", TRUE), ("vcpu", unmapping[0]), ("place", unmapping[1])):
            self.backers.field(name).write_where(rested, lambda _, v=value: v)  # type: ignore[misc]
        rests, gone = self.rests.field(HANDLE).snapshot(), self.pasts.field("waits").snapshot()
        demoted = self.tables["demotions"].field("demoted_owner").read

        def was_left(k: Keys) -> Term:
            named = [terms.equal(rests(k), handle[1]), terms.equal(demoted(k[:1]), handle[0])]
            return terms.conjunction([terms.negation(gone(k)), *named])

        for name, value in (("waits", TRUE), ("vcpu", unmapping[0]), ("place", unmapping[1])):
            self.pasts.field(name).write_where(was_left, lambda _, v=value: v)  # type: ignore[misc]

    def _fills(self, key: Keys, name: str, value: object) -> None:
        """Hear that a translation is filled from an entry."""
        if name == "valid" and value is True and "leaf" in self.arguments:
            leaf = self.tables["entries"].keys(self.arguments["leaf"])
            self.backers.field(HANDLE).write(key, self.rests.field(HANDLE).read(leaf))
            self.backers.field("waits").write(key, FALSE)
        elif name == "valid" and value is True and "prefix" in self.arguments:
            self._fills_through(key)

    def _fills_through(self, key: Keys) -> None:
        """Have a translation that is filled from a prefix rest on what the word that ends its walk does."""
        cpu, prefix, slot = (self.arguments[name] for name in ("cpu", "prefix", "slot"))
        table = self.tables["prefixes"].field("table").read(self.tables["prefixes"].keys((cpu, 1, prefix)))
        entry = (table, lift(slot, INT))
        self.backers.field(HANDLE).write(key, self.rests.field(HANDLE).read(entry))
        linked = self.tables["entries"].field("linked").read(entry)
        waits = terms.conjunction([terms.negation(linked), self.pasts.field("waits").read(entry)])
        self.backers.field("waits").write(key, waits)
        for name in ("vcpu", "place"):
            self.backers.field(name).write(key, self.pasts.field(name).read(entry))


class GrantedTable:
    """`s.granted[entry]`: what the mapping that an entry rests on lets it map.

    The table of a dying domain keeps what it had: its handles go before its tables do, and it runs no more.
    """

    __slots__ = ("matching", "path")

    def __init__(self, matching: Matching, path: Path) -> None:
        self.matching = matching
        self.path = path

    def __getitem__(self, key: object) -> GrantedRow:
        return GrantedRow(self, self.matching.tables["entries"].keys(key))


class GrantedRow:
    """A row of `GrantedTable`."""

    __slots__ = ("_entry", "_table")

    def __init__(self, table: GrantedTable, entry: Keys) -> None:
        self._table = table
        self._entry = entry

    def _granted(self, *, writing: bool) -> Truth:
        tables, matching = self._table.matching.tables, self._table.matching
        owner = tables["frames"].field("owner").read(self._entry[:1])
        handle = (owner, matching.rests.field(HANDLE).read(self._entry))
        mapping = tables["mappings"]
        of_it = terms.equal(
            mapping.field("frame").read(handle), tables["entries"].field("target").read(self._entry)
        )
        parts = [mapping.field("pinned").read(handle), mapping.field("host").read(handle), of_it]
        if writing:
            parts.append(terms.negation(mapping.field("readonly").read(handle)))
        dying = tables["domains"].field("dying").read((owner,))
        return Truth(terms.disjunction([dying, terms.conjunction(parts)]), self._table.path)

    @property
    def readable(self) -> Truth:
        """The entry may map its frame."""
        return self._granted(writing=False)

    @property
    def writable(self) -> Truth:
        """The entry may map its frame writable."""
        return self._granted(writing=True)
