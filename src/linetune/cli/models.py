"""``linetune models``"""

from __future__ import annotations

from rich.table import Table

from linetune.cli.options import JsonOption, print_json


def models(as_json: JsonOption = False) -> None:
    """List the official models, their sizes, and where their weights are on this machine."""
    from linetune import image
    from linetune.models.network import empty_folded
    from linetune.report.terminal import console
    from linetune.weights.official import OFFICIAL, find

    rows = []
    for official in OFFICIAL.values():
        charset = official.charset
        # One class, and the others by arithmetic: thousands of rows need not be drawn.
        network = empty_folded(official.architecture, 1)
        others = (charset.classes - 1) * (official.architecture.neck_channels + 1)
        path = find(official)
        rows.append(
            {
                "name": official.name,
                "parameters": sum(p.numel() for p in network.parameters()) + others,
                "characters": len(charset),
                "frames": image.frames(image.MIN_WIDTH),
                "weights": str(path) if path else None,
                "url": official.url,
            }
        )
    if as_json:
        print_json(rows)
        return
    table = Table("model", "parameters", "characters", f"frames at {image.MIN_WIDTH} px")
    table.add_column("weights", overflow="fold")
    for row in rows:
        where = row["weights"] or "downloaded at first use"
        table.add_row(
            str(row["name"]),
            f"{row['parameters']:,}",
            f"{row['characters']:,}",
            str(row["frames"]),
            str(where),
        )
    console().print(table)
