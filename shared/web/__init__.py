"""The web: who calls, the JSON interface, the admin pages."""
