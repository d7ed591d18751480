"""Event channels: what must hold of ports, of what is pending, and of who is told."""
