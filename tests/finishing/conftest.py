"""The deployments of tests/faults, and one with an export of rows, for the ledger that a run writes."""

from tests.planning.conftest import clock, mailchimp, new_deployment, rows

__all__ = ["clock", "mailchimp", "new_deployment", "rows"]
