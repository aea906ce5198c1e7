"""Benchmarks: speed, memory and calls, compared with Mailchimp's own client."""
