"""Calls by which nothing changes: HYPERVISOR_xen_version, as far as it is about the model, and console_io.

Public interface: version.h, features.h; xen/common/kernel.c, xen/drivers/char/console.c.
"""

from xenmodel.abi import assist
from xenmodel.views import DomainView
from xenspec.vocabulary import EPERM

VERSION = 4 << 16 | 17
"""XENVER_version: major and minor."""
PAE_PGDIR_ABOVE_4GB = 1 << 4
DOM0 = 1 << 11
ALWAYS = 1 << 5 | 1 << 6 | 1 << 7 | 1 << 13 | 1 << 17
"""XENFEAT_*: preserve A/D, high memory assist, grant map bits, vnodes, direct mapped."""


def features(domain: DomainView) -> int:
    """Return what XENVER_get_features says in its first word."""
    above = PAE_PGDIR_ABOVE_4GB if domain.assists >> assist.PAE_EXTENDED_CR3 & 1 else 0
    return ALWAYS | above | (DOM0 if domain.privileged else 0)


def console_write(domain: DomainView) -> int:
    """Return what CONSOLEIO_write answers: only the control domain has the console."""
    return 0 if domain.privileged else -EPERM
