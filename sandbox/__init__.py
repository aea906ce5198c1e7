"""A sandbox Mailchimp and sample segments, for development; never deployed."""
