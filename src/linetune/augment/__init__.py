"""Augmentation of batches, on the device of the batch."""
