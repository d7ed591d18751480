"""`xencheck oracle`."""

from __future__ import annotations

from typing import NoReturn

import click


@click.command("oracle")
def command() -> NoReturn:
    """Compare the model's answers with those of a real Xen, case by case."""
    raise click.ClickException("not available in this build")
