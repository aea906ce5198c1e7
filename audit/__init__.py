"""What may not go unseen: secrets in the files, packages with a known vulnerability.

Development only, never deployed. docs/decisions/0046-audit.md says why it is as it is.
"""
