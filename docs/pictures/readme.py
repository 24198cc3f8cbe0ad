"""The pictures of README.md, from a real run with the handwritten digits of `make demo`.

export PYTHONPATH=tests
python docs/pictures/readme.py record FOLDER [MINUTES]  # init and train in a new folder, in 20 minutes
python docs/pictures/readme.py terminal FOLDER          # readme_terminal.webp; needs the package pyte
python docs/pictures/readme.py crops FOLDER             # readme_crops.png; needs Chromium
python docs/pictures/readme.py report FOLDER            # readme_report.png, .zh.png; needs a Chinese font too
"""

from __future__ import annotations

import codecs
import fcntl
import json
import operator
import os
import pty
import struct
import subprocess
import sys
import termios
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any, TextIO

import matplotlib
from browser import empty_page, started
from PIL import Image, ImageDraw, ImageFont

import linetune
from linetune.core.labelfile import read_labels
from linetune.report.page import Cell, Part, marked_difference, page, read_crop
from linetune.report.run_page import write_report
from linetune.report.words import words

PICTURES = Path(__file__).parent
FONTS = Path(matplotlib.get_data_path(), "fonts", "ttf")
COLUMNS, LINES = 100, 30
CAST = "terminal.cast"
"""What the terminal got and when, as asciinema writes it (asciicast 2)."""
OFFICIAL = "PP-OCRv6_small_rec"
SHOWN = 6
"""Crops in the picture of crops."""

# --------------------------------------------------------------------------------------- record


def record(folder: Path, minutes: int = 20) -> None:
    """Run `linetune init` and `linetune train` in a terminal, and write what it shows."""
    prepare = PICTURES.parents[1] / "examples" / "digits" / "prepare.py"
    subprocess.run([sys.executable, str(prepare), str(folder / "demo")], check=True)
    (folder / "demo" / "crops").rename(folder / "crops")
    began = time.monotonic()
    with (folder / CAST).open("w", encoding="utf-8") as cast:
        for command in (
            "linetune init mine --from crops",
            f"linetune train mine/linetune.yaml --within {minutes}min",
        ):
            run(command, folder, cast, began)


def run(command: str, folder: Path, cast: TextIO, began: float) -> None:
    """Type a command, run it in a terminal in the folder, and write what it shows into the cast."""

    def show(text: str) -> None:
        # Where this machine has the environment and the folder says nothing.
        text = text.replace(sys.prefix, ".venv").replace(f"{folder.resolve()}{os.sep}", "")
        print(json.dumps([round(time.monotonic() - began, 3), "o", text]), file=cast, flush=True)

    for typed in ("$ ", *command, "\r\n"):
        show(typed)
    child, terminal = pty.fork()
    if child == 0:
        os.chdir(folder)
        size = {"COLUMNS": str(COLUMNS), "LINES": str(LINES)}
        os.execvpe("linetune", command.split(), {**os.environ, **size, "TERM": "xterm-256color"})
    fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", LINES, COLUMNS, 0, 0))
    decoder = codecs.getincrementaldecoder("utf-8")()
    with suppress(OSError):  # the command has ended
        while got := os.read(terminal, 65536):
            show(decoder.decode(got))
    os.waitpid(child, 0)


# --------------------------------------------------------------------------------------- terminal

SIZE = 17
"""Height of the letters in pixels."""
CELL = 0.602 * SIZE, round(1.24 * SIZE)
"""Width and height of the place of a letter in pixels."""
MARGIN = SIZE
GROUND, INK = "#1b1f27", "#d7dae0"
EVERY = 20.0
"""Seconds between two pictures of the view that a command renews."""
TYPED, RENEWED, PRINTED, LAST = 40, 90, 700, 6000
"""Milliseconds that pictures stay: while typing, of a renewed view, with new lines, the last one."""


def terminal(folder: Path) -> None:
    """Draw what the terminal showed, without its waiting times."""
    shown, times = zip(*screens(folder / CAST), strict=True)
    palette = draw(shown[-1]).quantize(8)  # few colours make a small file
    first, *others = (
        draw(rows).quantize(palette=palette, dither=Image.Dither.NONE).convert("RGB") for rows in shown
    )
    times = (*times[:-1], LAST)
    target = PICTURES / "readme_terminal.webp"
    small: dict[str, Any] = {"lossless": True, "method": 4, "quality": 60, "minimize_size": True}
    first.save(target, save_all=True, append_images=others, duration=times, loop=0, **small)
    print(f"{target}: {len(times)} pictures, {sum(times) / 1000:.0f} s, {kilobytes(target)}")


def screens(cast: Path) -> Iterator[tuple[list[Any], int]]:
    """Yield the screens that differ, as rows of pyte's characters, and the milliseconds that each stays."""
    import pyte

    screen = pyte.Screen(COLUMNS, LINES)
    stream = pyte.Stream(screen)
    shown: list[str] = []
    last = -EVERY
    _, *entries = map(json.loads, cast.read_text("utf-8").splitlines())
    for number, (seconds, _, text) in enumerate(entries):
        stream.feed(text)
        following = entries[number + 1][0] if number + 1 < len(entries) else seconds + EVERY
        typed = len(text) == 1
        printed = text.count("\n") > text.count("\x1b[1A")  # not only a view that is drawn again
        if not (typed or printed or seconds - last >= EVERY) or (printed and following - seconds < 0.05):
            continue
        last = seconds
        if screen.display != shown:
            shown = list(screen.display)
            rows = [[screen.buffer[y][x] for x in range(COLUMNS)] for y in range(LINES)]
            yield rows, TYPED if typed else PRINTED if printed else RENEWED


def draw(rows: list[Any]) -> Image.Image:
    """Draw a screen."""
    plain, bold = (ImageFont.truetype(FONTS / f"DejaVuSansMono{name}.ttf", SIZE) for name in ("", "-Bold"))
    width, height = CELL
    size = round(COLUMNS * width + 2 * MARGIN), LINES * height + 2 * MARGIN
    picture = Image.new("RGB", size, GROUND)
    pen = ImageDraw.Draw(picture)
    for y, row in enumerate(rows):
        for x, cell in enumerate(row):
            if cell.data.strip():
                at = MARGIN + x * width, MARGIN + y * height
                pen.text(at, cell.data, INK, bold if cell.bold else plain)
    return picture


# --------------------------------------------------------------------------------------- crops

STYLE = "table { background: #fff } code { font-size: 1.6em } img { height: 44px }"


def crops(folder: Path) -> None:
    """Draw the first test crops that the official model misreads, and what both models read."""
    lines = read_labels(folder / "crops" / "test.txt")
    official, trained = (
        [reading.text for reading in linetune.Recogniser.load(model).read([line.image for line in lines])]
        for model in (OFFICIAL, folder / "mine" / "runs" / "first")
    )
    wrong = [number for number, line in enumerate(lines) if official[number] != line.text]
    rows: list[list[Cell]] = []
    for number in wrong[:SHOWN]:
        crop, label = read_crop(lines[number].image), lines[number].text
        assert crop is not None
        rows.append([crop, *(marked_difference(label, texts[number])[1] for texts in (official, trained))])
    labels = [line.text for line in lines]
    right = [sum(map(operator.eq, texts, labels)) for texts in (official, trained)]
    columns = ["crop", f"{OFFICIAL}, untouched", "after training"]
    target = PICTURES / "readme_crops.png"
    with (
        started() as browser,
        empty_page(browser, viewport={"width": 900, "height": 900}, device_scale_factor=2) as opened,
    ):
        opened.page.set_content(page("", "", [Part("", columns=columns, rows=rows)], words("en")))
        opened.page.add_style_tag(content=STYLE)
        opened.page.locator("table").screenshot(path=target)
    save_small(target)
    print(f"{right} of {len(lines)} test crops right")


def report(folder: Path) -> None:
    """Take a picture of the first screen of the report in each language."""
    for language, name in (("en", "readme_report.png"), ("zh", "readme_report.zh.png")):
        written = write_report(folder / "mine" / "runs" / "first", words(language), folder / "report.html")
        text = written.read_text("utf-8").replace(f"{folder.resolve()}{os.sep}", "")
        with started() as browser, empty_page(browser, viewport={"width": 1000, "height": 800}) as opened:
            opened.page.set_content(text)
            opened.page.screenshot(path=PICTURES / name)
        save_small(PICTURES / name)


def save_small(picture: Path) -> None:
    """Reduce the colours of a picture."""
    Image.open(picture).convert("P", palette=Image.Palette.ADAPTIVE, colors=64).save(picture, optimize=True)
    print(f"{picture}: {kilobytes(picture)}")


def kilobytes(file: Path) -> str:
    """Return the size of a file."""
    return f"{file.stat().st_size / 1000:.0f} kB"


if __name__ == "__main__":
    what, where, *minutes = sys.argv[1:]
    does = {"record": record, "terminal": terminal, "crops": crops, "report": report}[what]
    does(Path(where), *map(int, minutes))
