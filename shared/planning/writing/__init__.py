"""Write a plan: changes become chunks, with their counts and findings."""
