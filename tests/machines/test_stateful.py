"""Hypothesis looks for a story that breaks an invariant."""

from __future__ import annotations

from xenproofs.machines.stateful import HostileGuests, StepwiseGuests

TestHostileGuests = HostileGuests.TestCase
TestStepwiseGuests = StepwiseGuests.TestCase
