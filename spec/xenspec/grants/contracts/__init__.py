"""Contracts of grants: who may use, share and hand over a frame, and how a use begins and ends."""
