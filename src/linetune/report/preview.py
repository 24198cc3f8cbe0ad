"""A page of rendered crops beside real ones, to check them by eye."""

from __future__ import annotations

from itertools import zip_longest
from pathlib import Path

from linetune.config import Synth
from linetune.core import image, labelfile
from linetune.report.page import Part, write_page
from linetune.report.words import Words
from linetune.synth.measure import readable_crops
from linetune.synth.render import Renderer

SHOWN = 48
"""Crops of each kind."""


def write_preview(path: Path, settings: Synth, say: Words) -> None:
    """Write a page of the first crops of a configuration. Replaces an existing file.

    Args:
        path: the HTML file.
        settings: what to render. ``looks`` names the real crops. Without it, there are none.
        say: the language of the page.

    Raises:
        LinetuneError: the settings cannot be rendered, a label file cannot be read, or the page cannot be
            written.
    """
    renderer = Renderer.of(settings)
    rendered = [renderer(number) for number in range(min(SHOWN, settings.count))]
    lines = labelfile.read_labels(*settings.looks) if settings.looks else []
    real = [image.resize(crop) for crop in readable_crops(labelfile.spread(lines, SHOWN))]
    rows = (
        [*(("" if crop is None else crop,) if real else ()), image.resize(drawn[0]), drawn[1]]
        for drawn, crop in zip_longest(rendered, real[: len(rendered)])
    )
    drawn_columns = say("rendered"), say("text of the rendered crop")
    if real:
        why = say("Rendered crops help if they look like the real ones.")
        text = say(" ").join((why, say("The pairs have nothing in common.")))
        part = Part(say("Side by side"), text, (say("real"), *drawn_columns), rows)
    else:
        part = Part(say("Crops"), "", drawn_columns, rows)
    intro = say("{shown} of {all} rendered crops.", shown=len(rendered), all=f"{settings.count:,}")
    write_page(path, say("Rendered crops"), intro, [part], say)
