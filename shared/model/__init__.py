"""Value types that every package shares, and the Protocols (ports.py) that the steps depend on."""
