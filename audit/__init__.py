"""Searches for secrets in the files and for packages with a known vulnerability.

Development only, never deployed. docs/decisions/0046-audit.md gives the reasons.
"""
