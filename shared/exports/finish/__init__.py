"""Finish: outcomes become the next ledger, Mailchimp's counts are checked, the run is closed.

Reading order: step.py (the order of things), gather.py (outcomes of all chunks), fold.py (the next
ledger and the table of outcomes), verify.py (tags as Mailchimp has them), close.py (the verdict).
"""
