"""Hypothesis looks for a story that breaks an invariant."""

from __future__ import annotations

from xenproofs.machines.stateful import HostileGuests, SharingGuests, StepwiseGuests

TestHostileGuests = HostileGuests.TestCase
TestSharingGuests = SharingGuests.TestCase
TestStepwiseGuests = StepwiseGuests.TestCase
