"""PLACEHOLDER of the lead so that the app starts: the segments developer overwrites this file."""

from shared.errors import Fault
from shared.exports.definition import Schedule


def validate(schedule: Schedule) -> list[Fault]:
    return []
