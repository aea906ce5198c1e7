"""Export definitions: create, update, validate, duplicate, delete."""
