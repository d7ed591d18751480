"""Proof obligations: every step keeps every invariant, on every path, for any number of everything."""
