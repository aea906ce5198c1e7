"""The form of an export: its definition, what can be chosen, and a check of the mapping."""
