"""Rendered crops beside real ones in the terminal."""

from __future__ import annotations

from rich.table import Table

from linetune.synth.compare import QUANTILES, Comparison

_ROWS = {
    "height": "height, px",
    "top": "surface above the text / crop height",
    "bottom": "surface below the text / crop height",
    "side": "surface beside the text / crop height",
    "shading": "shading, grey levels",
    "blur": "blur sigma / crop height",
    "noise": "noise, grey levels",
    "slant": "slant, px per px",
    "stroke": "stroke width / text height",
    "glyph": "character width / text height",
    "pitch": "character distance / text height",
    "brightness": "surface luminance, grey levels",
    "saturation": "surface colour, grey levels",
    "contrast": "ink minus surface, grey levels",
}
"""The text of each row."""


def looks_table(compared: Comparison) -> Table:
    """Return a table of looks. Its caption says how well a classifier tells the crops apart."""
    table = Table(
        caption=f"{compared.real} real and {compared.rendered} rendered crops. A linear classifier on the "
        f"base model's features tells {compared.told_apart:.0%} of them apart (50% is perfect)."
    )
    table.add_column("measured", no_wrap=True)
    for kind in ("real", "rendered"):
        for quantile in QUANTILES:
            table.add_column(f"{kind} {quantile:.0%}", justify="right", no_wrap=True)
    for name, (real, rendered) in compared.figures.items():
        table.add_row(_ROWS[name], *(f"{value:.3g}" for value in (*real, *rendered)))
    return table
