"""What the processor does: walks, TLBs, segment loads, guest accesses."""
