"""Rules of grants that real Xen showed, and how each is switched off in the model.

Names give the place in the oracle's report (REPORT 25 to 33), or MORE where the report does not say it.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final

from tests.oracle.switches import Off, Rule, Sequence, Silent, Steps, around, constant, instead, without_guard
from xenmodel.abi.grant import (
    DEVICE_MAP,
    E_READING,
    E_SUB_PAGE,
    E_WRITING,
    HOST_MAP,
    PERMIT_ACCESS,
    TRANSITIVE,
    TYPE_MASK,
    GrantEntries,
)
from xenmodel.domains.naming import addressed_domain
from xenmodel.grants.arguments import BAD_PAGE, GENERAL_ERROR, OKAY, Answer, SetVersion
from xenmodel.grants.claiming import use_entry
from xenmodel.grants.entries import header
from xenmodel.memory.claim import is_table
from xenmodel.memory.demotion import drop_leaf
from xenmodel.memory.reservation import give_back
from xenmodel.memory.updates import flights
from xenmodel.step import Refused, require
from xenspec.logic import Not
from xenspec.vocabulary import DOMID_SELF, EPERM, DomId, FlightId, GrantId, HandleId, Mfn

if TYPE_CHECKING:
    import pytest

    from xenmodel.grants.arguments import CopyEnd, MapGrantRef, TransferFrame
    from xenmodel.hypercall import Call
    from xenmodel.machine import Machine


def entries(name: str, new: object) -> Off:
    """Give a function of the entries' layout another value."""

    def off(patch: pytest.MonkeyPatch) -> None:
        assert hasattr(GrantEntries, name)
        patch.setattr(GrantEntries, name, staticmethod(new) if callable(new) else new)

    return off


def same(word: int, *_args: object, **_kwargs: object) -> int:
    """Leave a word as it is."""
    return word


def always(*_args: object, **_kwargs: object) -> bool:
    return True


def never(*_args: object, **_kwargs: object) -> bool:
    return False


def itself(x: Call, _number: int) -> DomId:
    """Let every number mean the caller."""
    return x.domain


def parts_too(word: int, **_: bool) -> bool:
    """Let a part of a page be granted as a whole one is."""
    return word & TYPE_MASK == PERMIT_ACCESS


def no_parts(word: int, **_: bool) -> bool:
    """Let no part of a page be granted."""
    return word & (TYPE_MASK | E_SUB_PAGE) == PERMIT_ACCESS


def passing_too(word: int, **_: bool) -> bool:
    """Let an entry that passes a grant on be used as one that grants a frame."""
    return word & TYPE_MASK in (PERMIT_ACCESS, TRANSITIVE)


def whole_alone(word: int) -> bool:
    """Let no entry for a part of a page pass a grant on."""
    return word & (TYPE_MASK | E_SUB_PAGE) == TRANSITIVE


def to_read(m: Machine, k: FlightId, g: GrantId, by: DomId, *, readonly: bool) -> None:
    """Use an entry to read, whatever it is used for."""
    del readonly
    use_entry(m, k, g, by, readonly=True)


def one_answer(old: Sequence) -> Sequence:
    """Answer the same whatever the inner entry refuses."""

    def new(*args: object, **options: object) -> Steps:
        status = yield from old(*args, **options)
        return OKAY if status == OKAY else GENERAL_ERROR

    return new


def both_marks(word: int, *, reading: bool, writing: bool) -> int:
    """Clear both marks where one is to be cleared."""
    return word & ~(E_READING | E_WRITING) if reading or writing else word


def nothing(*_args: object, **_kwargs: object) -> None:
    """Do nothing."""


def of_anybody(m: Machine, g: GrantId, _domain: DomId, *, readonly: bool, whole: bool) -> None:
    """Let every domain use an entry that permits it to one."""
    word = header(m, g)
    require("the entry permits it to the domain", m.grants.permits(word, whole=whole), EPERM)
    require("the entry grants writing", readonly | Not(m.grants.readonly(word)), EPERM)


def own_frames(old: Sequence) -> Sequence:
    """Let a side of a copy that names another domain's frame mean the caller's own."""

    def new(x: Call, side: int, end: CopyEnd) -> Steps:
        return (yield from old(x, side, end if end.by_ref else replace(end, dom=DOMID_SELF)))

    return new


def always_host(old: Sequence) -> Sequence:
    """Take a mapping for nobody as one for processors."""

    def new(x: Call, op: MapGrantRef) -> Steps:
        nobody = not op.flags & (HOST_MAP | DEVICE_MAP)
        return (yield from old(x, replace(op, flags=op.flags | HOST_MAP) if nobody else op))

    return new


def no_tables(old: Sequence) -> Sequence:
    """Let no table be mapped, not even read-only."""

    def new(x: Call, granter: DomId, h: HandleId) -> Silent:
        if is_table(x.m.frames[x.m.mappings[h].frame].type):
            raise Refused("switched off", EPERM)
        yield from old(x, granter, h)

    return new


def one_kind(old: Sequence) -> Sequence:
    """Let a mapping be for processors or for devices, not for both."""

    def new(x: Call, granter: DomId, h: HandleId) -> Silent:
        row = x.m.mappings[h]
        if row.device and row.host:
            raise Refused("switched off", EPERM)
        yield from old(x, granter, h)

    return new


def unharmed(old: Sequence) -> Sequence:
    """Let a mapping succeed although its entry cannot be stored."""

    def new(*args: object) -> Silent:
        try:
            yield from old(*args)
        except Refused:
            return

    return new


def thrown_away(_old: Sequence) -> Sequence:
    """Lose the entry that is to be moved."""

    def new(x: Call, _slot: int, _word: int) -> Silent:
        yield from drop_leaf(x, flights(x.vcpu)[1])

    return new


def given_back(old: Sequence) -> Sequence:
    """Give the frame back where a transfer fails."""

    def new(x: Call, op: TransferFrame) -> Steps:
        answer = yield from old(x, op)
        assert isinstance(answer, Answer)
        f = Mfn(op.frame)
        if answer.status not in (OKAY, BAD_PAGE):
            x.m.frames[f].cursor = x.m.cpu_count  # type: ignore[misc]
            give_back(x.m, f, x.domain)
        return answer

    return new


def any_version(old: Sequence) -> Sequence:
    """Know every version of a table."""

    def new(x: Call, call: SetVersion) -> Steps:
        return (yield from old(x, call if call.version in (1, 2) else SetVersion(1)))

    return new


RULES: Final = (
    Rule(
        "REPORT 25: DOMID_SELF names no domain to map of",
        constant("grants.mapping.domain_by_id", addressed_domain),
    ),
    Rule("REPORT 25: a copy names frames of the caller alone", around("grants.copying._claim", own_frames)),
    Rule(
        "REPORT 25: a copy names domains that exist",
        constant("grants.copying.addressed_domain", itself),
    ),
    Rule(
        "REPORT 26: a mapping is for processors or devices",
        around("grants.mapping.map_grant_ref", always_host),
    ),
    Rule("REPORT 26: a reference is one of the table", instead("grants.entries.exists", always)),
    Rule("REPORT 26: the entry permits access", entries("permits", always)),
    Rule(
        "REPORT 26: a part of a page is not mapped",
        entries("permits", parts_too),
    ),
    Rule("REPORT 26: to the domain that maps", instead("grants.pins.require_permitted", of_anybody)),
    Rule("REPORT 26: a read-only entry grants no writing", entries("readonly", never)),
    Rule(
        "REPORT 26: the frame is the granting domain's",
        without_guard("the frame is live and the granting domain's"),
    ),
    Rule("REPORT 26: else it is a bad page", constant("grants.mapping.BAD_PAGE", GENERAL_ERROR)),
    Rule("REPORT 26: a table is mapped read-only", around("grants.mapping._take_references", no_tables)),
    Rule("REPORT 26: a mapping needs its entry", around("grants.mapping._map_host", unharmed)),
    Rule("REPORT 27: an entry in use is marked", entries("used", same)),
    Rule("REPORT 27: out of use it is not", entries("unused", same)),
    Rule(
        "REPORT 27: the mark of writing goes with a writer",
        entries("unused", both_marks),
    ),
    Rule(
        "REPORT 27: both kinds of mapping at once",
        around("grants.mapping._take_references", one_kind),
    ),
    Rule("REPORT 27: an entry is not executable", constant("abi.grant.PTE_MAP", 0x61)),
    Rule("REPORT 28: an entry in use is not looked at again", constant("grants.pins.is_pinned", never)),
    Rule("REPORT 29: a handle is used up", instead("grants.pins.forget", nothing)),
    Rule(
        "REPORT 29: the address maps the granted frame",
        without_guard("the entry maps the granted frame", "as the handle does"),
    ),
    Rule("REPORT 29: another entry is moved there", around("grants.unmapping._put_stolen", thrown_away)),
    Rule("REPORT 30: a copy stays in its page", constant("grants.copying.BAD_COPY_ARG", GENERAL_ERROR)),
    Rule("REPORT 30: a part of a page is copied", entries("permits", no_parts)),
    Rule("REPORT 30: no copy goes into a table", constant("grants.copying.GENERAL_ERROR", BAD_PAGE)),
    Rule("MORE: bytes are copied", instead("grants.copying.copy_unit", nothing)),
    Rule(
        "MORE: the first to write must find the same frame",
        without_guard(
            "the entry grants what it did", "the frame is what was granted, and the granting domain's"
        ),
    ),
    Rule("MORE: who tries in vain marks the entry", instead("grants.claiming.mark_in_vain", nothing)),
    Rule("DUEL: an entry may pass a grant on", entries("transitive", never)),
    Rule("DUEL: of no part of a page in particular", entries("transitive", whole_alone)),
    Rule("DUEL: not one of its own domain", without_guard("the grant is another domain's")),
    Rule("DUEL: of a domain that exists", without_guard("that domain exists")),
    Rule("DUEL: to the domain that copies", without_guard("the entry is for the caller's domain")),
    Rule("DUEL: the inner entry's answer is the copy's", around("grants.copying._pin_through", one_answer)),
    Rule("DUEL: what writes asks the inner entry to write", instead("grants.passing.use_entry", to_read)),
    Rule("DUEL: what writes asks the outer entry to write", constant("grants.passing.is_news", never)),
    Rule("DUEL: both pins are given back", instead("grants.copying.unpin_passed", nothing)),
    Rule("DUEL: nothing is mapped by such an entry", entries("permits", passing_too)),
    Rule("REPORT 31: there are two versions", around("grants.versions._set_version", any_version)),
    Rule(
        "REPORT 31: entries in use are not swapped",
        without_guard("nobody uses the first", "nobody uses the second"),
    ),
    Rule("REPORT 31: entries are swapped", instead("grants.tables.swap_entries", nothing)),
    Rule("REPORT 32: a frame that is mapped stays", without_guard("only the allocation holds the frame")),
    Rule(
        "REPORT 32: a transfer is to a domain that exists",
        constant("grants.transferring.domain_by_id", itself),
    ),
    Rule("REPORT 32: the entry waits for it", entries("accepts_transfer", always)),
    Rule("REPORT 32: else the frame is lost", around("grants.transferring.transfer", given_back)),
    Rule("REPORT 32: the entry is committed", entries("committed", same)),
    Rule("REPORT 32: and completed", entries("completed", same)),
    Rule("REPORT 33: a guest asks about itself alone", constant("grants.tables.PERMISSION_DENIED", OKAY)),
    Rule("REPORT 33: an absent domain has no table", constant("grants.tables.BAD_DOMAIN", OKAY)),
    Rule("REPORT 33: a table has a limit", constant("grants.tables.GENERAL_ERROR", OKAY)),
)
