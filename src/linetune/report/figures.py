"""Figures of a page as SVG: words stay text, and colours follow the page, light or dark."""

from __future__ import annotations

import io
import re
import warnings
from collections.abc import Iterator, Sequence, Sized
from contextlib import contextmanager
from html import escape
from typing import TYPE_CHECKING

import numpy as np

from linetune.evaluation.acceptance import confidence_text
from linetune.evaluation.reliability import Reliability
from linetune.report.breakdown import Share
from linetune.report.history import StageHistory
from linetune.report.words import Words

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

INK, ACCENT, GOOD, BAD, QUIET = "#010101", "#020202", "#030303", "#040404", "#050505"
"""Stand-ins for the colours of the page. matplotlib knows no others."""
_COLOURS = {INK: "currentColor", "#000000": "currentColor", "#dddddd": "var(--line)"} | {
    colour: f"var(--{name})"
    for colour, name in ((ACCENT, "accent"), (GOOD, "good"), (BAD, "bad"), (QUIET, "quiet"))
}
PX = 4 / 3
"""CSS pixels in a point."""
POINTS = 400
"""Most points of a curve. More cannot be seen."""
LEAST = 2
"""Least height of the panel of validations, in percent."""
LEFT, RIGHT, BOTTOM, TOP = 0.85, 0.1, 0.5, 0.25
"""Space for the texts around a figure, in inches."""
_IDS = re.compile(r' id="(?!m[0-9a-f]{10}|p[0-9a-f]{10})[^"]*"')
"""Names that matplotlib gives to parts, which repeat in the next figure. Only markers and clips are used."""


def curves(stages: Sequence[StageHistory], say: Words) -> str:
    """Return the training loss, the validations and the learning rate of all stages over their steps."""
    from matplotlib.ticker import LogLocator, MaxNLocator, NullLocator

    with _figure(7.6, 6.2) as (figure, out):
        panels = loss, right, rate = figure.subplots(3, 1, sharex=True, height_ratios=(2, 3, 1.2))
        start = 0
        for stage in stages:
            if start:
                for axes in panels:
                    axes.axvline(start, color=QUIET, linewidth=0.8)
            _draw_stage(panels, stage, start, say)
            start += stage.length
        loss.set(yscale="log", ylabel=say("loss"), xlim=(0, start))
        loss.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
        loss.yaxis.set_major_formatter(lambda value, _: plain(value))
        loss.yaxis.set_minor_locator(NullLocator())
        low, high = right.get_ylim()
        right.set(ylabel=say("validation, %"), ylim=(low, max(high, low + LEAST)))
        rate.yaxis.set_major_formatter(lambda value, _: plain(value))
        rate.set(ylabel=say("learning rate"), xlabel=say("step"), ylim=(0, None))
        rate.xaxis.set_major_locator(MaxNLocator("auto", integer=True))
        for line in (line for axes in panels for line in axes.lines):
            line.set_clip_on(False)  # a marker at the last step is half beyond the axis
        handles, labels = right.get_legend_handles_labels()
        # Each stage has its own lines. One of a kind is enough.
        kinds = dict(zip(labels, handles, strict=True))
        right.legend(kinds.values(), kinds.keys(), frameon=False, loc="lower right")
        names = say(", ").join(stage.name for stage in stages)
        text = say("Loss, validation and learning rate over the steps of the stages {names}.", names=names)
    return inline(out.getvalue(), text)


def _draw_stage(panels: Sequence[Axes], stage: StageHistory, start: int, say: Words) -> None:
    """Draw a stage into the panels of :func:`curves`. ``start`` is the number of steps before it."""
    loss, right, rate = panels
    steps, losses, rates = map(np.array, zip(*_thinned(stage.steps), strict=True))
    loss.plot(start + steps, losses, color=ACCENT, linewidth=1, marker=_marker(steps), markersize=3)
    rate.plot(start + steps, rates, color=ACCENT, linewidth=1, marker=_marker(steps), markersize=3)
    over, middle = ("data", "axes fraction"), start + stage.length / 2
    loss.annotate(stage.name, (middle, 1), (0, 4), over, "offset points", ha="center")
    if stage.validations:
        points = [(each.step, each.exact_match, each.label_probability) for each in stage.validations]
        at, exact, label = map(np.array, zip(*_thinned(points), strict=True))
        for values, colour, line, name in (
            (exact, GOOD, "-", say("exact match")),
            (label, QUIET, "--", say("label probability")),
        ):
            right.plot(start + at, 100 * values, line, color=colour, label=name, marker=_marker(at))
    if kept := stage.kept:
        percents = 100 * kept.exact_match, 100 * kept.label_probability
        name = say("kept validation")
        right.plot(
            [start + kept.step] * 2,
            percents,
            "D:",
            color=ACCENT,
            markersize=8,
            fillstyle="none",
            label=name,
            zorder=3,
        )
    if overfit := stage.overfit:
        best = start + overfit.best.step
        right.axvspan(best, start + stage.length, color=BAD, alpha=0.12, linewidth=0)
        right.annotate(say("overfits"), (best, 1), (3, -11), over, "offset points", color=BAD)


def plain(value: float, digits: int = 6) -> str:
    """Return a number without an exponent, such as 0.00005.

    Args:
        value: the number.
        digits: most digits that are not leading zeros.
    """
    return np.format_float_positional(value, digits, fractional=False, trim="-")


def _marker(points: Sized) -> str:
    """Return a marker for a line that has no second point."""
    return "o" if len(points) < 2 else ""


def lengths(shares: Sequence[Share], say: Words) -> str:
    """Return the exact match by length, with 95 % intervals."""
    with _figure(7.6, 2.8, bottom=0.65) as (figure, out):
        axes = figure.subplots()
        _bars(axes, range(len(shares)), shares)
        axes.set_xticks(range(len(shares)), [f"{each.name}\n({each.total})" for each in shares])
        axes.set(xlabel=say("characters of the label (number of crops)"), ylabel=say("exact match, %"))
        lowest = min(each.interval[0] for each in shares)
        axes.set(ylim=(max(0, 100 * lowest - 3), 101), xlim=(-0.6, len(shares) - 0.4))
        parts = say(", ").join(f"{each.name}: {each.share:.0%}" for each in shares)
        text = say("Exact match by length: {parts}.", parts=parts)
    return inline(out.getvalue(), text)


def reliability(found: Reliability, say: Words) -> str:
    """Return the exact match over the confidence. The diagonal is what a perfect confidence gives."""
    with _figure(3.7, 3.4) as (figure, out):
        axes = figure.subplots()
        axes.plot([0, 1], [0, 100], color=QUIET, linewidth=1, linestyle="--")
        shares = [Share("", round(each.exact_match * each.lines), each.lines) for each in found.bins]
        _bars(axes, [each.confidence for each in found.bins], shares)
        axes.set(xlabel=say("mean confidence"), ylabel=say("exact match, %"), xlim=(0, 1.03), ylim=(0, 103))
        text = say(
            "Reliability diagram: calibration error {error}. Readings with a confidence of "
            "{confidence} are right in {exact}.",
            error=f"{found.error:.1%}",
            confidence=confidence_text(found.bins[0].confidence),
            exact=f"{found.bins[0].exact_match:.0%}",
        )
    return inline(out.getvalue(), text)


def risk_coverage(confidences: Sequence[float], correct: Sequence[bool], say: Words) -> str:
    """Return the share of wrong readings among the accepted ones, over the share that is accepted."""
    order = np.argsort(-np.asarray(confidences), kind="stable")
    wrong = np.cumsum(~np.asarray(correct, bool)[order])
    number = np.arange(1, len(order) + 1)
    coverage, risk = 100 * number / len(order), 100 * wrong / number
    with _figure(3.7, 3.4) as (figure, out):
        axes = figure.subplots()
        shown = _thinned(list(zip(coverage.tolist(), risk.tolist(), strict=True)))
        axes.plot(*zip(*shown, strict=True), color=ACCENT, linewidth=1.4)
        axes.axhline(1, color=QUIET, linewidth=1, linestyle="--")
        axes.set(xlabel=say("accepted readings, %"), ylabel=say("wrong among them, %"), xlim=(0, 101))
        axes.set_ylim(0, max(2.0, 1.05 * float(risk[len(risk) // 20 :].max())))
        text = say("Risk-coverage curve: {risk} of all readings are wrong.", risk=f"{risk[-1] / 100:.1%}")
    return inline(out.getvalue(), text)


def _bars(axes: Axes, places: Sequence[float], shares: Sequence[Share]) -> None:
    """Draw shares as points with their 95 % intervals, in percent."""
    middle = [100 * each.share for each in shares]
    low, high = ([100 * each.interval[end] for each in shares] for end in (0, 1))
    axes.vlines(places, low, high, ACCENT, linewidth=1.2, alpha=0.6)
    axes.plot(places, middle, "o", color=ACCENT, markersize=4, linestyle="none")


def _thinned(points: Sequence[tuple[float, ...]]) -> Sequence[tuple[float, ...]]:
    """Return at most :data:`POINTS` points at even distances, always with the last one."""
    step = -(-len(points) // POINTS)
    return points if step <= 1 else [*points[:-1:step], points[-1]]


@contextmanager
def _figure(width: float, height: float, bottom: float = BOTTOM) -> Iterator[tuple[Figure, io.StringIO]]:
    """Give the block a figure, and write its SVG at the end of the block. All sizes are in inches."""
    # matplotlib takes half a second to import.
    from matplotlib import style
    from matplotlib.figure import Figure

    out = io.StringIO()
    settings = {
        "svg.fonttype": "none",
        "svg.hashsalt": "linetune",
        "path.simplify_threshold": 0.5,
        "text.parse_math": False,  # names of stages may have dollar signs
        "font.size": 9,
        "axes.spines.top": False,
        "axes.spines.right": False,
        "axes.edgecolor": QUIET,
        "xtick.color": INK,
        "ytick.color": INK,
        "text.color": INK,
        "axes.labelcolor": INK,
    }
    with style.context(["default", settings]), warnings.catch_warnings():
        # The browser has the glyphs that matplotlib's own font lacks.
        warnings.filterwarnings("ignore", message="Glyph .* missing from font")
        figure = Figure(figsize=(width, height))
        # A layout that measures the texts takes as long as all drawing.
        sides = {"left": LEFT / width, "right": 1 - RIGHT / width}
        figure.subplots_adjust(**sides, bottom=bottom / height, top=1 - TOP / height, hspace=0.12)
        figure.patch.set_visible(False)
        yield figure, out
        for axes in figure.axes:
            axes.patch.set_visible(False)
            axes.grid(axis="y", color=QUIET, alpha=0.25, linewidth=0.6)
        figure.savefig(out, format="svg", metadata=dict.fromkeys(("Date", "Creator", "Format", "Type")))


def inline(svg: str, text: str) -> str:
    """Return a figure of matplotlib as an element of a page, in the colours of the page.

    Args:
        svg: the SVG file.
        text: what the figure shows, for people who do not see it.
    """
    opening, rest = svg[svg.index("<svg") :].split(">", 1)
    box = re.search(r'viewBox="([^"]*)"', opening)
    assert box
    rest = re.sub(r"<metadata>.*?</metadata>", "", rest, flags=re.DOTALL)
    # This style would hold for the complete page.
    rest = re.sub(r"<style.*?</style>", "", rest, flags=re.DOTALL)
    rest = _IDS.sub("", rest)
    for colour, name in _COLOURS.items():
        rest = rest.replace(colour, name)
    width = float(box.group(1).split()[2]) * PX
    return (
        '<svg xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink" '
        f'viewBox="{box.group(1)}" style="max-width: {width:.0f}px" role="img" '
        f'aria-label="{escape(text)}">{rest}'
    )
