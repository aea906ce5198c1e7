"""Benchmarks: how fast, in how much memory, with how many calls, beside Mailchimp's own client."""
