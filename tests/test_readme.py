"""README.md and README.zh-CN.md: the same commands and figures, and nothing that leads nowhere."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
NAMES = ["README.md", "README.zh-CN.md"]
MOST_LINES = 120
MOST_BYTES = 400_000

ENGLISH, CHINESE = ((ROOT / name).read_text("utf-8") for name in NAMES)
BLOCK = re.compile(r"^```sh\n(.*?)^```", re.DOTALL | re.MULTILINE)
BOTH = pytest.mark.parametrize("text", [ENGLISH, CHINESE], ids=NAMES)


def commands(text: str) -> list[str]:
    """Return the commands of all code blocks, without their comments."""
    return [line.split("#")[0].strip() for block in BLOCK.findall(text) for line in block.splitlines()]


def named(text: str) -> list[str]:
    """Return all commands, files and options that sentences name."""
    return re.findall("`([^`]+)`", BLOCK.sub("", text))


def figures(text: str) -> list[str]:
    """Return the figures of all tables, and what else has a percent sign."""
    rows = "\n".join(line for line in text.splitlines() if line.startswith("|"))
    return re.findall(r"\d[\d.,]*", rows) + re.findall(r"[\d.]+ %", text)


def targets(text: str) -> list[str]:
    """Return the targets of all links and pictures."""
    return re.findall(r"\]\(([^)]+)\)", text)


def test_both_have_the_same_commands_in_the_same_order() -> None:
    assert commands(ENGLISH) == commands(CHINESE)
    assert named(ENGLISH) == named(CHINESE)
    assert {"linetune init mine --from LABELS", "linetune train mine/linetune.yaml"} <= set(commands(ENGLISH))


def test_both_have_the_same_figures_in_the_same_order() -> None:
    assert figures(ENGLISH) == figures(CHINESE)
    assert {"2,455", "90.6 %"} <= set(figures(ENGLISH))


def test_both_lead_to_the_same_pages_and_pictures() -> None:
    assert [each for each in targets(ENGLISH) if each != NAMES[1]] == [
        each for each in targets(CHINESE) if each != NAMES[0]
    ]


@BOTH
def test_links_and_pictures_exist(text: str) -> None:
    inside = [each for each in targets(text) if not each.startswith("https://")]
    assert len(inside) > 15
    assert not [each for each in inside if not (ROOT / each).is_file()]


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
