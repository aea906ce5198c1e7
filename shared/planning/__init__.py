"""Source rows become people, people become changes, changes become chunks."""
