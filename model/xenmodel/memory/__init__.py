"""Frames, page tables, descriptors: what holds a frame, and the steps that move references."""
