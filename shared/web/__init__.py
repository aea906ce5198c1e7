"""The web interface: authentication, the JSON API and the admin pages."""
