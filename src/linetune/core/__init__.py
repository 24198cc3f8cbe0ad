"""The base of all other packages: errors, files, text, images, labels, the processor."""
