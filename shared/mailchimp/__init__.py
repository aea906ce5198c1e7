"""Mailchimp: its HTTP session and error table, sign-in, audiences and members."""
