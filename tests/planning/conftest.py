"""The deployments of tests/faults, for services that are unavailable while a run is planned."""

from tests.faults.conftest import clock, mailchimp, new_deployment

__all__ = ["clock", "mailchimp", "new_deployment"]
