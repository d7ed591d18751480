"""Contracts of event channels: who may bind a port, how an event gets to its vCPU, what a guest may do."""
