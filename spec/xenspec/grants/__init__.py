"""Grant tables: what must hold of memory that domains share, and hand over, on purpose."""
