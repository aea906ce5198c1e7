"""Exports: the heart. What an export is, and how a run is started, planned, sent and finished.

Reading order: definition.py, run.py, needs.py; then the way of a run, a folder a step:
start/ -> plan/ -> send/ -> finish/. runs/ is what people see of it and can do about it, fields/ turns
values into merge fields, person/ finds and erases one person, signals/ is what the house says of
itself.
"""
