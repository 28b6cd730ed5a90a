"""What to do with the scores: choices under a budget."""
