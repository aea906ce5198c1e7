"""The deployments of tests/faults, with a sandbox of their own."""

from tests.faults.conftest import clock, mailchimp, new_deployment

__all__ = ["clock", "mailchimp", "new_deployment"]
