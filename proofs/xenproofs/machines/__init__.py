"""Hostile guests: a small world of domains and vCPUs whose every call is made at random and interleaved.

`world` runs moves on the executable and checks after each; `moves` says what guests, hardware and scheduler
may do; `fuzz` searches for long, `shrink` tells a short story; `stateful` gives the same moves to Hypothesis.
"""
