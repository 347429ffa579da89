"""The forms of CTR-GCN's units for CPUs."""
