"""Exports: the heart. What an export is, how a run is started, planned, sent and finished."""
