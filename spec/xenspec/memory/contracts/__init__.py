"""Contracts of memory: what it means to take, hold, change and let go of a frame, an entry, a word."""
