"""The networks: unfolded, as their authors trained them, and folded, as linetune trains and runs them."""
