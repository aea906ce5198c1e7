"""The audience in Mailchimp: read it before a run, and create the merge fields and tags that it lacks."""
