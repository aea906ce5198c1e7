"""Segments that Customer Insights wrote: which ones exist, which files they have, and their rows.

finding/ finds the segments in a listing of the container. reading/ reads the content of their files. A run uses both
through blob_segments.py, which pins the files of its segments and loads their rows. choosing/ shows people what they
can export. The data comes through container.py (the landing container) and customer_insights_api.py.
"""
