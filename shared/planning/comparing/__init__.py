"""Compare people with the ledger: people become changes."""
