"""Plan: from frozen segments to an immutable change set, cut into chunks.

Reading order: plan.py (what a plan is), step.py (the run while it is planned), make.py (how a plan is
made), preparation.py (what Mailchimp is asked for it), people.py (rows -> people), compare.py
(people against the ledger and the audience), cut.py (the change set into chunks), written.py.
Set algebra is SQL, here and nowhere else.
"""
