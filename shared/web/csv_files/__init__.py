"""CSV files to download."""
