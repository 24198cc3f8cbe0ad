"""The official models in the terminal."""

from __future__ import annotations

from collections.abc import Sequence

from rich.table import Table

from linetune.core import image
from linetune.formats.catalogue import WIDTH, Entry


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
