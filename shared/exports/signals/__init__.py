"""What the house says of itself: queue messages, the trace through them, events and metrics."""
