"""Contracts of translation caches."""
