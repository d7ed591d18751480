"""GNTTABOP_transfer: a frame that nobody maps goes to the domain that waits for it in one of its entries.

It is taken from its owner first; whatever fails after that, the frame is free (gnttab_transfer). The new
owner is charged before its entry is looked at, so that it has room still when the frame comes.
"""

from xenmodel.grants.arguments import (
    BAD_DOMAIN,
    BAD_PAGE,
    GENERAL_ERROR,
    OKAY,
    Answer,
    TransferFrame,
)
from xenmodel.grants.entries import exists, header, place_of
from xenmodel.grants.mapping import domain_by_id
from xenmodel.hardware.tlb import flush_cpus
from xenmodel.hypercall import Call, Steps
from xenmodel.machine import Machine
from xenmodel.memory import holders
from xenmodel.memory.memory_op import flush_free
from xenmodel.memory.reservation import steal
from xenmodel.memory.rows import Place
from xenmodel.step import Refused, require, step
from xenspec.logic import Not
from xenspec.vocabulary import (
    DOMID_FIRST_RESERVED,
    DOMID_INVALID,
    EAGAIN,
    EINVAL,
    ENOENT,
    ENOMEM,
    EPERM,
    DomId,
    GrantId,
    Mfn,
    TransferId,
)


@step("domains.pages", "transfers.reserved", "transfers.domain", "transfers.ref", "transfers.frame")
def reserve_page(m: Machine, v: TransferId, f: Mfn, g: GrantId) -> None:
    """Charge a page to the domain that is to have the frame."""
    row, domain = m.transfers[v], m.domains[g[0]]
    require("no other transfer is under way", Not(row.reserved), EAGAIN)
    require("the domain is not dying", Not(domain.dying), EINVAL)
    require("the domain's quota has room", domain.pages < domain.max_pages, ENOMEM)
    domain.pages = domain.pages + 1
    row.reserved = True
    row.domain = DomId(g[0])
    row.ref = g[1]
    row.frame = f


@step("domains.pages", "transfers.reserved")
def unreserve_page(m: Machine, v: TransferId) -> None:
    """Give back the charge of a transfer that came to nothing."""
    row = m.transfers[v]
    require("a page is charged", row.reserved, EAGAIN)
    domain = m.domains[row.domain]
    domain.pages = domain.pages - 1
    row.reserved = False


@step("words.word")
def commit_transfer(m: Machine, v: TransferId) -> None:
    """Bind an entry that waits for a frame of the caller's domain (gnttab_prepare_for_transfer)."""
    row = m.transfers[v]
    g = GrantId((row.domain, row.ref))
    require("a page is charged", row.reserved, EAGAIN)
    require("the reference exists", exists(m, g), ENOENT)
    word = header(m, g)
    require("the entry waits for a frame", m.grants.accepts_transfer(word), EPERM)
    require("of the caller's domain", m.grants.domain(word) == v[0], EPERM)
    m.words[place_of(m, g)] = m.grants.committed(word)


@step(
    "frames.owner",
    "frames.allocated",
    "frames.ref_count",
    "frames.dirty",
    "transfers.reserved",
    "demotions.demoted",
)
def hand_over(m: Machine, v: TransferId) -> None:
    """Give a stolen frame, contents and all, to the domain that was charged for it (assign_pages)."""
    row = m.transfers[v]
    frame = m.frames[row.frame]
    require("a page is charged", row.reserved, EAGAIN)
    require("nobody holds the frame", (frame.ref_count == 0) & (frame.owner == DOMID_INVALID), EINVAL)
    require("the frame is memory", frame.place == Place.RAM, EINVAL)
    require("no CPU translates to the frame any more", frame.cursor == m.cpu_count, EAGAIN)
    require("the owner is a domain", row.domain < DOMID_FIRST_RESERVED, EINVAL)
    require("the domain is not dying", Not(m.domains[row.domain].dying), EINVAL)
    frame.owner = row.domain
    frame.allocated = True
    frame.ref_count = 1
    frame.dirty = False
    m.demotions[row.frame].demoted = False
    m.ghost.take(row.frame, holders.allocated(row.frame), typed=False, general=True)
    row.reserved = False


@step("m2p.pfn", "words.word")
def complete_transfer(m: Machine, v: TransferId) -> None:
    """Tell the new owner which frame it has, in the entry that it was promised to."""
    row = m.transfers[v]
    g = GrantId((row.domain, row.ref))
    require("the frame was handed over", Not(row.reserved), EAGAIN)
    require("the reference exists", exists(m, g), ENOENT)
    f, slot = place_of(m, g)
    version = m.grant_tables[row.domain].version
    m.m2p[row.frame].pfn = m.grants.pfn(version, m.words[f, slot], m.words[f, slot + 1])
    first, second = m.grants.with_frame(version, m.words[f, slot], m.words[f, slot + 1], row.frame)
    m.words[f, slot] = m.grants.completed(first)
    if version != 1:
        m.words[f, slot + 1] = second


def transfer(x: Call, op: TransferFrame) -> Steps[Answer]:
    """Transfer one frame."""
    m, f = x.m, Mfn(op.frame)
    try:
        steal(m, f, x.domain)
        yield steal
    except Refused:
        return Answer(BAD_PAGE)
    yield from flush_cpus(x, everywhere=True)
    receiver = domain_by_id(x, op.dom)
    if receiver is None:
        return Answer(BAD_DOMAIN)
    v = TransferId(x.vcpu)
    try:
        reserve_page(m, v, f, GrantId((receiver, op.ref)))
        yield reserve_page
    except Refused:
        return Answer(GENERAL_ERROR)
    try:
        commit_transfer(m, v)
        yield commit_transfer
        yield from flush_free(x, f)
        hand_over(m, v)
        yield hand_over
    except Refused:
        unreserve_page(m, v)
        yield unreserve_page
        return Answer(GENERAL_ERROR)
    complete_transfer(m, v)
    yield complete_transfer
    return Answer(OKAY)
