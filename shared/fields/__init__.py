"""Converts attribute values to merge field values."""
