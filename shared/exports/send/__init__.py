"""Send: lanes take chunks to Mailchimp, never more at once than the account allows.

Reading order: slots.py (one lease a connection), pace.py (how many at once just now), lane.py
(take a chunk, send it, take the next), write.py (one chunk: calls, halving, outcomes).
"""
