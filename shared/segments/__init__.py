"""Segments that Customer Insights wrote: CDM folders, frozen snapshots, rows and the catalogue."""
