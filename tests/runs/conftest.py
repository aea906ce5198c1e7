"""The simulated deployments of tests/faults, also with an export of rows, for commands at a chosen moment."""

from tests.planning.conftest import clock, mailchimp, new_deployment, rows

__all__ = ["clock", "mailchimp", "new_deployment", "rows"]
