"""What each step of the model is the doing of: contracts of xenspec, with the step's arguments."""

from xenproofs.judge.actions import (
    domains,
    entries,
    grant_tables,
    grants,
    guests,
    keeping,
    notices,
    ports,
    references,
    tlb,
    words,
)
from xenproofs.judge.actions.registry import ACTIONS, ANY_NUMBER, ANY_SLOT, Describe

MODULES = (references, words, entries, keeping, tlb, grants, grant_tables, ports, notices, guests, domains)
"""The modules that fill the registry."""

__all__ = ["ACTIONS", "ANY_NUMBER", "ANY_SLOT", "MODULES", "Describe"]
