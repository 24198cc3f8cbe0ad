"""Crops in memory and the batches they are trained in."""
