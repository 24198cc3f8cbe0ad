"""``linetune models``"""

from __future__ import annotations

from typing import Annotated, Any

import typer
from rich.table import Table

from linetune.cli.options import JsonOption, print_json


def models(
    speed: Annotated[
        bool, typer.Option(help="Measure how long each takes for a crop here: random weights, one by one.")
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """List the official models, their sizes, and where their weights are on this machine."""
    from linetune.core import image
    from linetune.formats.sources import find
    from linetune.models.architecture import Architecture
    from linetune.models.families import OFFICIAL
    from linetune.models.network import empty_folded, seconds_a_crop
    from linetune.report.terminal import console

    rows: list[dict[str, Any]] = []
    timed: dict[tuple[Architecture, int], float] = {}
    for official in OFFICIAL.values():
        charset = official.charset
        # Of the classes the blank alone, the others by arithmetic: thousands of rows need not be drawn.
        network = empty_folded(official.architecture, 1)
        body = sum(p.numel() for p in network.parameters())
        each = network.head.fc.in_features + 1
        path = find(official)
        row: dict[str, Any] = {
            "name": official.name,
            "parameters": body + len(charset) * each if charset else None,
            "parameters_without_characters": body,
            "parameters_per_character": each,
            "characters": len(charset) if charset else None,
            "frames": image.frames(image.MIN_WIDTH),
            "weights": str(path) if path else None,
            "url": official.url,
        }
        if speed:
            kind = official.architecture, charset.classes if charset else 1
            if kind not in timed:
                timed[kind] = seconds_a_crop(*kind, image.MIN_WIDTH)
            row["milliseconds"] = round(1000 * timed[kind], 1)
        rows.append(row)
    if as_json:
        print_json(rows)
        return
    table = Table()
    table.add_column("model", no_wrap=True)
    for name in ("parameters", "characters", f"frames at {image.MIN_WIDTH} px"):
        table.add_column(name)
    if speed:
        table.add_column("ms a crop", justify="right")
    table.add_column("weights", overflow="fold")
    for row in rows:
        if row["characters"] is None:
            unknown = (
                f"{row['parameters_without_characters']:,} + {row['parameters_per_character']} a character"
            )
            sizes = unknown, "in its files"
        else:
            sizes = f"{row['parameters']:,}", f"{row['characters']:,}"
        times = (f"{row['milliseconds']:.1f}",) if speed else ()
        where = row["weights"] or "downloaded at first use"
        table.add_row(row["name"], *sizes, str(row["frames"]), *times, where)
    console().print(table)
