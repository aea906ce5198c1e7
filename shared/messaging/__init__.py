"""Queue messages, message sequences, trace context, events and metrics."""
