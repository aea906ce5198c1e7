"""The simulated deployments of tests/faults, for commands at a chosen moment."""

from tests.faults.conftest import clock, mailchimp, new_deployment

__all__ = ["clock", "mailchimp", "new_deployment"]
