"""An export as JSON: the body of a request, and the view in a response."""
