"""The executable hypervisor and its hardware: loop-free steps and the hypercalls that sequence them.

The second layer. It may use the specification's words (`xenspec.vocabulary`, `table`, `logic`, `invariant`)
and never its transitions or safety invariants: a step that calls the specification's own guard would refine
it trivially.
"""
