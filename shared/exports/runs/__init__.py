"""Runs as people see them: how far they are, what became of everyone, and what can be done about it."""
