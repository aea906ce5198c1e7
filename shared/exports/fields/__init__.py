"""Fields: a row's values as the merge fields of an audience take them."""
