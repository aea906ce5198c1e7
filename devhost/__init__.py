"""Runs the app where Azure Functions Core Tools are not installed; development only, never deployed."""
