"""When exports start automatically: at scheduled times (schedule.py, timetable.py), and with refreshes (refresh.py)."""
