"""`python -m xencheck` is the command `xencheck`."""

from __future__ import annotations

from xencheck.cli import main

main()
