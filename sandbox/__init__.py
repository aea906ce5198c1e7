"""A Mailchimp and sample segments to try everything against; development only, never deployed."""
