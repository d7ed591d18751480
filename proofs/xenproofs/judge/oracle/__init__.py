"""The oracle: cases that real Xen has answered, played on the model and compared answer by answer.

Each case runs on a small machine of its own (`start`). `harness` is the program that asked real Xen, as far
as it shows in the answers; `compare` says what counts as agreeing; `run` plays whole files.
"""
