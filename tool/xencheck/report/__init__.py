"""Reports: what engines found, as JSON for programs and as text for people."""
