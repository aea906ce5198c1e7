"""The deployments of tests/faults, for what people do with runs at a chosen moment."""

from tests.faults.conftest import clock, mailchimp, new_deployment

__all__ = ["clock", "mailchimp", "new_deployment"]
