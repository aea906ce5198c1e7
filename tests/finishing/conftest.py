"""The deployments of tests/faults, for the ledger that a run writes."""

from tests.faults.conftest import clock, mailchimp, new_deployment

__all__ = ["clock", "mailchimp", "new_deployment"]
