"""When exports start automatically.

At scheduled times: schedule.py has the times, scheduled_starts.py starts what is due. With refreshes: refresh.py processes
events and checks, with open_refreshes.py, refreshed_files.py and refresh_steps.py; refresh_progress.py has the rules.
"""
