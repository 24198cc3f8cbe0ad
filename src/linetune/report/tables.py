"""Tables for the terminal: the official models, and rendered crops beside real ones."""

from __future__ import annotations

from collections.abc import Sequence

from rich.table import Table

from linetune.core import image
from linetune.formats.catalogue import WIDTH, Entry
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


def models_table(entries: Sequence[Entry]) -> Table:
    """Return a table with a row for each official model."""
    timed = any(entry.milliseconds is not None for entry in entries)
    table = Table()
    table.add_column("model", no_wrap=True)
    for name in ("parameters", "characters", f"frames at {WIDTH} px"):
        table.add_column(name)
    if timed:
        table.add_column("ms per crop", justify="right")
    table.add_column("weights", overflow="fold")
    for entry in entries:
        if entry.characters is None:
            parameters = (
                f"{entry.parameters_without_characters:,} + {entry.parameters_per_character} per character"
            )
            characters = "in its files"
        else:
            parameters, characters = f"{entry.parameters:,}", f"{entry.characters:,}"
        times = (f"{entry.milliseconds:.1f}",) if timed else ()
        weights = str(entry.weights or "downloaded at first use")
        table.add_row(entry.name, parameters, characters, str(image.frames(WIDTH)), *times, weights)
    return table


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
