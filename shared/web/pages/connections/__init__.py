"""The connections: their list, the page of one, and the unused contacts of an audience."""
