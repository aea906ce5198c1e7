"""The texts of every error, finding and reason, by code, in English and Korean."""
