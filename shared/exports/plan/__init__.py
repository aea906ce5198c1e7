"""Plan: from frozen segments to an immutable change set, cut into chunks.

Reading order: plan.py (what a plan is), step.py (how one is made), people.py (rows -> people),
compare.py (people against the ledger and the audience), cut.py (the change set into chunks).
Set algebra is SQL, here and nowhere else.
"""
