"""Layers, stems and necks that families share, and how branches become one convolution."""
