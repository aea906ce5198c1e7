"""Read what a plan is made from: source rows become people, and the ledger is loaded."""
