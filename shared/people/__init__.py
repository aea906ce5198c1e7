"""One person: find, erase, suppress after an erasure; and retention of personal data."""
