"""When exports start automatically: schedules, time zones, due times, refresh events."""
