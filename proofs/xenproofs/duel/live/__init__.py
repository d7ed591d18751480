"""The live real Xen: booted under QEMU, asked in batches, booted again when a case ended it.

`tools` finds what is needed, `qemu` runs a machine, `memory` looks into it, `boot` brings it to where it can
be asked, `script` and `answers` translate, `xen` is the face of it all.
"""
