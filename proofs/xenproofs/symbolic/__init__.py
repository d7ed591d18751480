"""Symbolic execution of the model's steps: terms, values, rows, ghost holders, paths."""
