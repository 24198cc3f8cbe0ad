"""Warps and photometric operations on batches, on whichever device the batch lies."""
