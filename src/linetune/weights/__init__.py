"""Where weights come from, and how they come in."""
