"""Outcomes become the next ledger; tags are compared with Mailchimp; the run gets its final status.

finish.py waits until all lanes have stopped. finish_steps.py has the steps: gather.py loads the outcomes, fold.py makes the
next ledger, mailchimp_check.py compares the tags (tag_check.py) and counts contacts (status_proof.py), and ledger_pointers.py
replaces the ledger. final_status.py decides how the run ends, and stopped_run.py how it ends if it was stopped. read_back.py
has what a run of one person sent.
"""
