"""The networks, in the unfolded form they were trained in and the folded form they run in."""
