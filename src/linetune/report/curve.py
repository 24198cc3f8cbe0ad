"""A learning curve as a table and as a picture."""

from __future__ import annotations

import io
import warnings
from pathlib import Path

from rich.table import Table

from linetune.analysis.learning_curve import Curve
from linetune.core import atomic
from linetune.core.errors import os_errors
from linetune.report.figures import inline
from linetune.report.page import Part, write_page
from linetune.report.run import add_scores
from linetune.report.words import Words

PICTURE, PAGE = "curve.svg", "curve.html"
COLOURS = {"validation": "#2f6fde", "test": "#d9622b"}


def curve_table(curve: Curve) -> Table:
    """Return a table with a row for each number of training crops."""
    shared = f"; {curve.shared_seconds:.0f} s before, shared by all rows" if curve.shared_seconds else ""
    table = Table(caption=f"exact match with its 95% interval{shared}")
    table.add_column("crops", justify="right", no_wrap=True)
    add_scores(table, [str(point.crops) for point in curve.points], curve.points)
    return table


def write_picture(curve: Curve, say: Words) -> Path:
    """Write the picture into the folder of the curve and return its path.

    Its words are in the language of ``say``.

    Raises:
        LinetuneError: the picture cannot be written.
    """
    path = curve.folder / PICTURE
    with os_errors("cannot write the picture", path):
        atomic.write_text(path, picture(curve, say))
    return path


def write_curve_page(curve: Curve, say: Words) -> Path:
    """Write the page of a curve, its picture and its figures, into its folder and return its path.

    The page is in the language of ``say``.

    Raises:
        LinetuneError: the page cannot be written.
    """
    sentence = curve.sentence(say)
    figure = inline(picture(curve, say), sentence)
    parts = [
        Part(say("Exact match over training crops"), sentence, figure=figure),
        Part(
            say("Figures"),
            say("Exact match with its 95% interval. The sizes differ in their crops alone."),
            (say("training crops"), say("validation"), say("test"), say("seconds")),
            (
                [
                    f"{point.crops:,}",
                    point.val.as_text(),
                    point.test.as_text() if point.test else "-",
                    f"{point.seconds:.0f}",
                ]
                for point in curve.points
            ),
        ),
    ]
    path = curve.folder / PAGE
    write_page(path, say("Learning curve"), say("Do more labelled crops help?"), parts, say)
    return path


def picture(curve: Curve, say: Words) -> str:
    """Return an SVG of exact match over training crops, on a logarithmic axis, with 95% intervals.

    The same curve gives the same text. Its words are text elements, in the language of ``say``.
    """
    # matplotlib takes a second to import.
    from matplotlib import style
    from matplotlib.figure import Figure
    from matplotlib.ticker import MaxNLocator, PercentFormatter
    from matplotlib.transforms import ScaledTranslation

    series = {"validation": [(point.crops, point.val) for point in curve.points]}
    if tested := [(point.crops, point.test) for point in curve.points if point.test]:
        series["test"] = tested
    out = io.StringIO()
    names = {"validation": say("validation"), "test": say("test")}
    settings = {"svg.fonttype": "none", "svg.hashsalt": "linetune"}
    with style.context(["default", settings]), warnings.catch_warnings():
        # The browser has the glyphs that matplotlib's own font lacks.
        warnings.filterwarnings("ignore", message="Glyph .* missing from font")
        figure = Figure(figsize=(7.5, 4.4), layout="constrained")
        axes = figure.subplots()
        for place, (name, points) in enumerate(series.items()):
            crops = [crops for crops, _ in points]
            percent = [100 * score.exact_match for _, score in points]
            low, high = ([100 * score.interval[end] for _, score in points] for end in (0, 1))
            # A few points (1/72 inch) to the side, so that the intervals of one size do not overlap.
            beside = axes.transData + ScaledTranslation(place / 12, 0, figure.dpi_scale_trans)
            axes.plot(
                crops,
                percent,
                "o-",
                color=COLOURS[name],
                label=names[name],
                gid=name,
                transform=beside,
                clip_on=False,
            )
            axes.vlines(crops, low, high, COLOURS[name], gid=f"{name} intervals", transform=beside)
        sizes = [point.crops for point in curve.points]
        axes.set(xscale="log", xlim=(sizes[0] / 1.5, sizes[-1] * 1.5), xlabel=say("training crops"))
        axes.set_xticks(sizes, [f"{crops:,}" for crops in sizes])
        axes.set_xticks([], minor=True)
        lowest = min(score.interval[0] for points in series.values() for _, score in points)
        axes.set(ylim=(max(0, 100 * lowest - 1), 100), ylabel=say("exact match"))
        axes.yaxis.set_major_locator(MaxNLocator(10, integer=True, steps=[1, 2, 5, 10]))
        axes.yaxis.set_major_formatter(PercentFormatter(decimals=0))
        axes.grid(axis="y", color="#ddd")
        axes.spines[["top", "right"]].set_visible(False)
        figure.legend(loc="outside upper right", ncols=2, frameon=False)
        # Without metadata, which holds the date.
        figure.savefig(out, format="svg", metadata=dict.fromkeys(("Date", "Creator", "Format", "Type")))
    return out.getvalue()
