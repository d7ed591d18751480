"""Asynchronous I/O rings: two sides, a page that they share, and the memory between them."""
