"""The explorer: every state that a small world can reach, breadth first, on the executable itself.

`scopes` says how small; `state` saves, restores and compares states; `search` visits them and tells the
shortest story of what breaks.
"""
