"""Model files: one module a format, which reads and writes it; and where official weights come from."""
