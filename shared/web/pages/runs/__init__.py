"""The runs: their list, the page of one with its progress, and what is done about one."""
