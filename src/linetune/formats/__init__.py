"""Model files: one module for each format reads and writes it. Also the sources of official weights."""
