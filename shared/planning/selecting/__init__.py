"""Decide who may be sent: consent, erased and excluded people, and runs that send only some people."""
