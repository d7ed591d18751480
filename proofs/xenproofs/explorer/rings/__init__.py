"""The explorer of I/O rings: every interleaving of single accesses to the shared page, in three memories.

`scopes` says how small the ring is, what the memory may do and who is hostile; `state` saves and restores;
`search` visits every state and looks for cycles without progress; `story` tells the shortest way to a fault.
"""
