"""`xencheck replay`."""

from __future__ import annotations

from typing import NoReturn

import click


@click.command("replay")
def command() -> NoReturn:
    """Replay a recording of a real guest on a real Xen and check every answer."""
    raise click.ClickException("not available in this build")
