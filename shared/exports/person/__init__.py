"""One person over all exports: found, and removed for good."""
