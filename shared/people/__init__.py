"""Finds and erases people, keeps erased people out of runs, and deletes old personal data."""
