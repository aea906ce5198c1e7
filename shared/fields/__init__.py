"""Attribute values become merge field values."""
