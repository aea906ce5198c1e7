"""Outcomes become the next ledger; tags are verified; the run gets its final status."""
