"""Initial audiences, with contacts of every status.

The people are those of the demo segments (persons.py), so that an export meets every status.
"""

from __future__ import annotations

from collections.abc import Callable

from sandbox.mailchimp.sandbox import Sandbox
from sandbox.mailchimp.view import AudienceView
from sandbox.persons import DEMO_SEED, person

_KINDS = (
    ("subscribed", ""),
    ("unsubscribed", "self"),
    ("unsubscribed", "admin"),
    ("cleaned", "bounce"),
    ("pending", ""),
    ("transactional", ""),
    ("archived", ""),
)


def demo(sandbox: Sandbox) -> AudienceView:
    """An audience "Newsletter" with 700 people of the demo segments, a hundred of each kind."""
    view = sandbox.audience("Newsletter")
    for number in range(700):
        status, cause = _KINDS[number % len(_KINDS)]
        who = person(DEMO_SEED, number)
        view.add(
            who.email,
            status=status,
            cause=cause,
            merge_fields={"FNAME": who.first_name, "LNAME": who.last_name},
            tags=("VIP",) if number % 5 == 0 else (),
        )
    return view


SEEDS: dict[str, Callable[[Sandbox], AudienceView]] = {"demo": demo}
