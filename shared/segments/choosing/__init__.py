"""Show people what they can choose for an export.

catalogue.py has the segments with files, their attributes and their sizes; described_catalogue.py adds what the
Customer Insights API knows.
"""
