"""The lifecycle of a run: start, commands, progress, plans and outcomes as they are stored, watchdog."""
