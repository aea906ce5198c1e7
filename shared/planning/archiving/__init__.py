"""Find contacts that no export targets any more, and make the plan that archives them."""
