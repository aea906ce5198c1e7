"""Searches files and history for secrets, and packages for known vulnerabilities.

Development only, never deployed. docs/decisions/0046-audit.md gives the reasons.
"""
