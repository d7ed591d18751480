"""The evidence: judge (monitor, replay, oracle), symbolic proofs, state machines, explorer and planted bugs.

The third layer. It imports `xenspec` and `xenmodel`; each heavy dependency stays in a few subpackages (the
solvers, the state machines, the trace reader), so that importing this package imports none of them.
"""
