"""Outcomes become the next ledger; tags are compared with Mailchimp; the run gets its final status.

finish.py waits until nothing is sent any more. finish_steps.py has the steps: gather.py loads the outcomes, fold.py makes the
next ledger, mailchimp_check.py compares the tags (tag_check.py) and counts contacts (status_proof.py), ledger_pointers.py
replaces the ledger, and final_status.py decides how the run ends, stopped_run.py if it was stopped. A preview has
outcomes without calls: preview_outcomes.py, preview_samples.py and preview_differences.py.
"""
