"""When exports start by themselves: schedules, time zones, due times, refresh events."""
