"""Connections: a Mailchimp account that someone connected, and who agreed to what."""
