"""README.md and README.zh-CN.md: short, with measured figures and small pictures."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
NAMES = ["README.md", "README.zh-CN.md"]
MOST_LINES = 120
MOST_BYTES = 400_000

ENGLISH, CHINESE = ((ROOT / name).read_text("utf-8") for name in NAMES)
BOTH = pytest.mark.parametrize("text", [ENGLISH, CHINESE], ids=NAMES)


def figures(text: str) -> list[str]:
    """Return the figures of all tables, and what else has a percent sign."""
    rows = "\n".join(line for line in text.splitlines() if line.startswith("|"))
    return re.findall(r"\d[\d.,]*", rows) + re.findall(r"[\d.]+ %", text)


@BOTH
def test_it_is_short(text: str) -> None:
    assert len(text.splitlines()) < MOST_LINES


def test_its_figures_are_those_of_the_page_of_results() -> None:
    results = (ROOT / "docs" / "results.md").read_text("utf-8")
    assert not [each for each in figures(ENGLISH) if each not in results]


def test_pictures_are_small() -> None:
    sizes = {path.name: path.stat().st_size for path in (ROOT / "docs" / "pictures").glob("readme_*")}
    assert sizes
    assert not [name for name, size in sizes.items() if size > MOST_BYTES]
