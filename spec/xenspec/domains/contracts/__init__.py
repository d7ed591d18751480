"""Contracts of domains: who may end one, and what a virtual CPU may set of its own."""
