"""Rendered crops beside real ones in the terminal."""

from __future__ import annotations

from rich.table import Table

from linetune.synth.compare import QUANTILES, Comparison

_WORDS = {
    "height": "height, px",
    "top": "surface above, of height",
    "bottom": "surface below, of height",
    "side": "surface beside, of height",
    "shading": "shading, grey levels",
    "blur": "blur, sigma of height",
    "noise": "noise, grey levels",
    "slant": "slant, px a px",
    "stroke": "stroke, of text height",
    "glyph": "character width, of text height",
    "pitch": "character distance, of text height",
    "brightness": "surface, grey levels",
    "saturation": "surface's colour, grey levels",
    "contrast": "ink minus surface, grey levels",
}


def comparison_table(compared: Comparison) -> Table:
    """A line for each figure, and what the classifier came to."""
    table = Table(
        caption=f"{compared.real} real and {compared.rendered} rendered crops. By its frozen features the "
        f"network tells {compared.told_apart:.0%} of them apart (50% is perfect)."
    )
    table.add_column("measured", no_wrap=True)
    for kind in ("real", "rendered"):
        for quantile in QUANTILES:
            table.add_column(f"{kind} {quantile:.0%}", justify="right", no_wrap=True)
    for name, (real, rendered) in compared.figures.items():
        table.add_row(_WORDS[name], *(f"{value:.3g}" for value in (*real, *rendered)))
    return table
