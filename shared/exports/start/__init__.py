"""When a run starts: on demand, on a schedule, with a refresh - and that it starts once."""
