"""The explorer of event channels: every interleaving of senders, handlers and sleepers in a small world."""
