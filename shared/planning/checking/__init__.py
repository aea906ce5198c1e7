"""Stop or hold back a run that looks like a mistake, or that would exceed the contact budget."""
