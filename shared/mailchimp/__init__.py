"""Client for the Mailchimp Marketing API: transport, errors, sign-in, audiences and members."""
