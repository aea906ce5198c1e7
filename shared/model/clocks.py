"""How far clocks may differ."""

from datetime import timedelta

WRONG_CLOCK = timedelta(minutes=1)
"""The clocks of two instances differ by less. A time that is further in the future was written by a clock that was wrong,
and nothing must wait until then."""

CLOCK_TOLERANCE = timedelta(minutes=5)
"""The tolerated difference between the app's clock and that of Mailchimp or of a source, where two moments are compared."""
