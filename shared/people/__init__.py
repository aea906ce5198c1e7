"""Finds and erases a person, suppresses erased people, and limits the retention of personal data."""
