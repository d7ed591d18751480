"""Grant tables: memory that domains share, and hand over, on purpose."""
