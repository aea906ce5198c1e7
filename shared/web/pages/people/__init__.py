"""The pages that name people: search and erase, send one, and exclude."""
