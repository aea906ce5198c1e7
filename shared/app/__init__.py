"""The one place where everything is put together.

`app()` builds the house once per process from the settings, at first use: nothing happens at
import, because the platform allows 30 seconds for indexing. Every edge is made here and handed to
those who name what they need; time, chance and sleeping come from here as well. Reading order:
stores.py, doors.py, heart.py, house.py, each on the one before.
"""

from shared.app.house import App, app

__all__ = ["App", "app"]
