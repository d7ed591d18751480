"""The executable hypervisor and its hardware: loop-free steps, hypercalls that sequence them, representation invariants.

The second layer. It may use the specification's words (`xenspec.vocabulary`, `table`, `logic`, `invariant`) and never its
transitions or safety invariants: a step that calls the specification's own guard would refine it trivially.
"""
