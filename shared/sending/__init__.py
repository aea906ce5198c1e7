"""Workers claim chunks, write them to Mailchimp and record the outcomes."""
