"""The refresh schedule, and the fields of every schedule."""
