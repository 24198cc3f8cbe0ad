"""From class probabilities to text."""
