"""A learning curve as a table and as a picture."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from pathlib import Path

from rich.table import Table

from linetune.analysis.learning_curve import Curve
from linetune.core import atomic
from linetune.core.errors import os_errors
from linetune.evaluation.metrics import Score

PICTURE = "curve.svg"
WIDTH, HEIGHT = 720, 420
LEFT, RIGHT, TOP, BOTTOM = 64, 24, 24, 56
"""Space around the plot, px."""
COLOURS = {"validation": "#2f6fde", "test": "#d9622b"}
SHIFT = {"validation": -4, "test": 4}
"""px, so that the intervals of one size stand side by side."""
TICKS = (1, 2, 5, 10, 20)
"""Steps of the vertical axis in percent, of which the first is taken that gives no more than ten lines."""


def curve_table(curve: Curve) -> Table:
    """A line for every size."""
    shared = f"; {curve.shared_seconds:.0f} s before, the same for all" if curve.shared_seconds else ""
    table = Table(caption=f"exact match with its 95% interval{shared}")
    tested = any(point.test for point in curve.points)
    columns = ("crops", "val exact", "CER", *(("test exact", "CER") if tested else ()), "seconds")
    for name in columns:
        table.add_column(name, justify="right", no_wrap=True)
    for point in curve.points:
        scores = [score for score in (point.val, point.test) if score]
        figures = [figure for score in scores for figure in (score.as_text(), f"{score.cer:.1%}")]
        table.add_row(str(point.crops), *figures, f"{point.seconds:.0f}")
    return table


def write_picture(curve: Curve) -> Path:
    """Write the picture into the curve's folder.

    Raises:
        LinetuneError: it cannot be written.
    """
    path = curve.folder / PICTURE
    with os_errors("cannot write the picture", path):
        atomic.write_text(path, picture(curve))
    return path


def picture(curve: Curve) -> str:
    """An SVG of exact match over crops, which stand on a logarithmic axis; bars are 95 % intervals."""
    series = {"validation": [(point.crops, point.val) for point in curve.points]}
    if tested := [(point.crops, point.test) for point in curve.points if point.test]:
        series["test"] = tested
    sizes = [point.crops for point in curve.points]
    lowest = min(score.interval[0] for points in series.values() for _, score in points) * 100
    step = next((step for step in TICKS if (100 - lowest) / step <= 10), TICKS[-1])
    floor = math.floor(lowest / step) * step
    parts = list(_axes(sizes, floor, step))
    for number, (name, points) in enumerate(series.items()):
        places = [(_x(crops, sizes) + SHIFT[name], score) for crops, score in points]
        parts += _series(places, floor, COLOURS[name])
        y = HEIGHT - BOTTOM - 16 * (len(series) - number)
        parts.append(_text(WIDTH - RIGHT - 8, y, name, "end", COLOURS[name]))
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" width="{WIDTH}" '
        f'height="{HEIGHT}" font-family="sans-serif" font-size="13">\n'
        f'<rect width="{WIDTH}" height="{HEIGHT}" fill="#fff"/>\n' + "\n".join(parts) + "\n</svg>\n"
    )


def _axes(sizes: Sequence[int], floor: int, step: int) -> Iterable[str]:
    for percent in range(floor, 101, step):
        y = _y(percent / 100, floor)
        yield f'<line x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{y:.1f}" y2="{y:.1f}" stroke="#ddd"/>'
        yield _text(LEFT - 8, y + 4, f"{percent}%", "end")
    for crops in sizes:
        yield _text(_x(crops, sizes), HEIGHT - BOTTOM + 20, f"{crops:,}", "middle")
    yield _text((LEFT + WIDTH - RIGHT) / 2, HEIGHT - 12, "train crops", "middle")
    yield _text(LEFT, TOP - 8, "exact match", "start")


def _series(places: Sequence[tuple[float, Score]], floor: int, colour: str) -> Iterable[str]:
    line = " ".join(f"{x:.1f},{_y(score.exact_match, floor):.1f}" for x, score in places)
    yield f'<polyline points="{line}" fill="none" stroke="{colour}" stroke-width="2"/>'
    for x, score in places:
        low, high = (_y(bound, floor) for bound in score.interval)
        yield f'<line x1="{x:.1f}" x2="{x:.1f}" y1="{low:.1f}" y2="{high:.1f}" stroke="{colour}"/>'
        yield f'<circle cx="{x:.1f}" cy="{_y(score.exact_match, floor):.1f}" r="4" fill="{colour}"/>'


def _x(crops: int, sizes: Sequence[int]) -> float:
    low, high = math.log(min(sizes)), math.log(max(sizes))
    inner = WIDTH - LEFT - RIGHT - 80
    return LEFT + 40 + inner * ((math.log(crops) - low) / (high - low) if high > low else 0.5)


def _y(share: float, floor: int) -> float:
    return HEIGHT - BOTTOM - (HEIGHT - TOP - BOTTOM) * (share * 100 - floor) / (100 - floor)


def _text(x: float, y: float, text: str, anchor: str, colour: str = "#333") -> str:
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" fill="{colour}">{text}</text>'
