"""The exports: their list, the page of one, and what is done with one or several."""
