from __future__ import annotations

import io
import signal
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import cv2
import numpy as np
import pytest
from browser import started

from linetune.cli import main
from linetune.core import image, labelfile
from linetune.core.progress import Silent
from linetune.evaluation import general

if TYPE_CHECKING:
    from playwright.sync_api import Browser

SLOWEST = (
    "test_resume",
    "test_training",
    "test_processes",
    "test_export",
    "test_export_paddle",
    "test_unlabelled",
    "test_cli",
    "test_init_from",
    "test_distil",
    "test_small_install",
    "test_site",
    "test_interruption",
    "test_pages",
    "test_check",
    "test_review",
    "test_strangers",
    "test_examples",
    "test_orientation",
    "test_synth",
    "test_hf",
    "test_curve",
    "test_tutorial",
    "test_push",
    "test_inspect",
)
"""Files of tests that take longest. A process gets whole files, so that they begin first."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with the slowest files: the processes then end at about the same time."""
    places = {name: place for place, name in enumerate(SLOWEST)}
    items.sort(key=lambda item: places.get(item.path.stem, len(SLOWEST)))


class Result(NamedTuple):
    """What the command line came to."""

    code: int
    out: str
    err: str

    @property
    def errors(self) -> list[str]:
        return [line for line in self.err.splitlines() if line.startswith("error:")]


Cli = Callable[..., Result]


class Heard(Silent):
    """A reporter that remembers what it was told."""

    def __init__(self) -> None:
        self.lines: list[str] = []

    def say(self, text: str) -> None:
        self.lines.append(text)


@pytest.fixture(scope="session", autouse=True)
def own_cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A cache of the tests' own, for this process and those it starts."""
    folder = tmp_path_factory.mktemp("cache")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("LINETUNE_CACHE", str(folder))
        yield folder


@pytest.fixture(scope="session", autouse=True)
def few_everyday_texts() -> Iterator[None]:
    """Runs of this process read 8 everyday texts instead of 200, twice each, which saves seconds a run."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(general, "MOST", 8)
        yield


@pytest.fixture(scope="session", autouse=True)
def ctrl_c() -> Iterator[None]:
    """Ctrl-C works in this process and in those it starts, also where a shell began it in the background."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.fixture(scope="session", autouse=True)
def english() -> Iterator[None]:
    """An English system, for this process and those it starts: pages have the language of the system."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("LANGUAGE", "en")
        yield


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """Chromium for all tests of a file."""
    with started() as browser:
        yield browser


@pytest.fixture(scope="session")
def make_crops() -> Callable[[Path, Sequence[str]], Path]:
    """Draws each text as ``00.png``, ``01.png``, … in a folder; the label file's path comes back."""

    def make(folder: Path, texts: Sequence[str]) -> Path:
        folder.mkdir(parents=True, exist_ok=True)
        rng = np.random.default_rng(len(texts))
        names = [f"{i:02}.png" for i in range(len(texts))]
        for name, text in zip(names, texts, strict=True):
            (width, _), _ = cv2.getTextSize(text, cv2.FONT_HERSHEY_SIMPLEX, 1, 2)
            crop = rng.integers(200, 236, (40, width + 12, 3), np.uint8)
            cv2.putText(crop, text, (6, 30), cv2.FONT_HERSHEY_SIMPLEX, 1, (30, 30, 30), 2, cv2.LINE_AA)
            image.write(folder / name, crop)
        labels = folder / "labels.txt"
        labelfile.write_labels(labels, zip(names, texts, strict=True))
        return labels

    return make


class Screen(io.BytesIO):
    """A terminal's end of standard output."""

    def isatty(self) -> bool:
        return True


@pytest.fixture
def cli(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Cli:
    """The command line in this process, which spares importing torch again."""

    def run(*arguments: object) -> Result:
        monkeypatch.setattr(sys, "argv", ["linetune", *map(str, arguments)])
        with pytest.raises(SystemExit) as caught:
            main()
        out, err = capsys.readouterr()
        code = caught.value.code
        return Result(code if isinstance(code, int) else 0, out, err)

    return run
