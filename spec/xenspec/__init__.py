"""What must hold: vocabulary, tables of rows, safety invariants and the transitions that are allowed.

The bottom layer. It imports the standard library only and knows nothing of how a hypervisor does its work,
so that a reader can judge the properties without reading the model. Each subsystem has one name here and in
every other layer.
"""
