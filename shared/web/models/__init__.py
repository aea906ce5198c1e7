"""The models of JSON bodies and responses, one module per subject."""
