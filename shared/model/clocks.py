"""Times that an instance with a wrong clock has written."""

from datetime import timedelta

WRONG_CLOCK = timedelta(minutes=1)
"""The clocks of two instances differ by less. A time that is further in the future was written by a clock that was wrong,
and nothing must wait until then. Moments that are compared with Mailchimp's clock have a larger tolerance: CLOCK_TOLERANCE
(model/audience.py)."""
