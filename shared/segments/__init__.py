"""Segments that Customer Insights wrote: CDM folders, pinned snapshots, rows and the catalogue."""
