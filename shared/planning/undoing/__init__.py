"""Make the plan of an undo: back to the ledger from before a run."""
