"""What must hold of I/O rings."""
