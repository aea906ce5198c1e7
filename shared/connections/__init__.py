"""Connections: Mailchimp accounts, consent to send data to them, and export users."""
