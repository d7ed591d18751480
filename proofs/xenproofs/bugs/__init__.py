"""Planted bugs: steps with one edit, each naming beforehand what must fall."""
