"""Small worlds of three domains, and of domains that die: who is there, who runs, what is left of whom."""

from __future__ import annotations

from typing import Final

from xenproofs.machines.breach import breach, until_breach
from xenproofs.machines.domains import victim
from xenproofs.machines.moves import Move, domains_of, others, parse
from xenproofs.machines.setup import DOMAINS, GUESTS
from xenproofs.machines.world import World

GRANTED_TO_A_THIRD: Final = """\
grant vcpu=2 b=1 c=4 d=2
map_grant vcpu=4 c=1
"""
DEATH: Final = """\
grant vcpu=2 b=1 c=4
map_grant vcpu=0 c=1 d=120
destroy vcpu=0 b=2
map_grant vcpu=2 c=1
unmap_grant vcpu=0 c=1
"""


def played(story: str) -> World:
    """Play a story in the world that it needs, and return the world."""
    moves = [parse(line) for line in story.splitlines()]
    world = World.new(domains=domains_of(moves))
    assert until_breach(world, moves) == (len(moves), None)
    return world


def test_a_third_domain_is_there_where_it_makes_moves() -> None:
    assert domains_of([Move("load", 3)]) == DOMAINS
    assert domains_of([Move("load", 3), Move("load", 4)]) == GUESTS
    world = played(GRANTED_TO_A_THIRD)
    assert world.coverage["grant_table_op:map_grant_ref × OKAY"] == 1
    assert not World.new().monitor.machine.domains[GUESTS[-1]].exists


def test_each_domain_has_two_others() -> None:
    assert all({domain, *others(domain)} == {*GUESTS} for domain in GUESTS)


def test_who_is_destroyed_runs_no_more_and_leaves_what_others_map() -> None:
    assert victim(parse("destroy vcpu=0 b=2")) == GUESTS[1]
    world = played(DEATH)
    assert world.coverage["domctl:destroydomain × ok"] == 1
    assert world.coverage["gone × nothing"] == 1
    row = world.monitor.machine.domains[GUESTS[1]]
    assert row.dying
    assert row.pages == 1, "what is mapped still"
    assert row.xen_pages == 2, "the page that Xen itself writes to, and that of the grant table"
    assert world.monitor.machine.mappings[0, 0].live


def test_only_the_control_domain_destroys() -> None:
    world = played("destroy vcpu=2 b=2\n")
    assert world.coverage["domctl:destroydomain × EPERM"] == 1
    assert world.monitor.machine.domains[GUESTS[1]].exists


def test_a_call_of_the_dying_comes_to_its_end_first() -> None:
    story = "grant vcpu=0 b=1 c=4\nmap_grant vcpu=2 c=1 pause=3\ndestroy vcpu=0 b=2\n"
    assert breach([parse(line) for line in story.splitlines()], every_step=True) is None


def test_a_frame_that_a_transfer_promises_is_charged_before_it_comes() -> None:
    story = "grant vcpu=2 b=1 d=160\ntransfer vcpu=0 c=9\n"
    moves = [parse(line) for line in story.splitlines()]
    assert breach(moves, every_step=True) is None
    assert played(story).coverage["grant_table_op:transfer × OKAY"] == 1
