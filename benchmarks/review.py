"""How fast labels are made on the page of `linetune review`, and how long the next crop takes.

    python benchmarks/review.py LABELS --model MODEL [--crops 200] [--look 0]

A program types what the label file says, as fast as the page allows: from the model's readings, and then
every label in full. It needs Chromium and playwright. The figures are those of the page alone: a person also
reads the crops.
"""

from __future__ import annotations

import argparse
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median
from typing import Any

from playwright.sync_api import Page, sync_playwright

from linetune.core.labelfile import read_labels

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
PAUSE = 0.4
"""Seconds after a choice within which the page takes digits and letters for a label typed on by mistake."""
WATCH = """() => {
    window.waits = [];
    let pressed = 0;
    document.addEventListener("keydown", () => { pressed = performance.now(); }, true);
    new MutationObserver(() => requestAnimationFrame(() => window.waits.push(performance.now() - pressed)))
        .observe(document.body, {attributes: true, attributeFilter: ["data-shown"]});
}"""
"""Measures the ms from the key that settles a crop to the frame that shows the next one."""
SHOWN = """() => [
    document.getElementById("path").textContent,
    document.getElementById("shown").textContent,
    [...document.querySelectorAll("#choices .text")].map(each => each.textContent),
]"""


@dataclass
class Typist:
    """Labels the crops of a page, and counts the keys."""

    page: Page
    texts: dict[str, str]
    in_full: bool
    look: float
    keys: int = 0
    ways: dict[str, int] = field(default_factory=dict)
    chosen: float = 0

    def settle(self, index: int) -> None:
        """Settle the crop that the page shows."""
        self.page.wait_for_selector(f"body[data-shown^='{index} ']")
        path, shown, choices = self.page.evaluate(SHOWN)
        text = self.texts[path]
        time.sleep(self.look)
        if self.in_full:
            self.note("typed", "Tab", *text, "Enter")
        elif shown == text:
            self.note("taken", "Enter")
        elif text in choices:
            self.wait()
            self.note("chosen", str(choices.index(text) + 1))
            self.chosen = time.monotonic()
        else:
            self.wait()
            self.note("typed", *(["Tab"] if text[0].isdigit() else []), *text, "Enter")

    def wait(self) -> None:
        """Wait until the page takes digits and letters."""
        time.sleep(max(0.0, self.chosen + PAUSE - time.monotonic()))

    def note(self, way: str, *keys: str) -> None:
        """Press keys."""
        self.ways[way] = self.ways.get(way, 0) + 1
        self.keys += len(keys)
        for key in keys:
            self.page.keyboard.press(key)


def main() -> None:
    """Print the figures of both ways."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", 1)[0])
    parser.add_argument("labels", type=Path)
    parser.add_argument("--model", required=True)
    parser.add_argument("--crops", type=int, default=200)
    parser.add_argument("--look", type=float, default=0, help="seconds before the first key of each crop")
    options = parser.parse_args()
    lines = read_labels(options.labels)
    count = min(options.crops, len(lines))
    lines = [lines[i * len(lines) // count] for i in range(count)]  # neighbours are often of one photo
    with tempfile.TemporaryDirectory() as folder:
        crops = Path(folder, "crops")
        crops.mkdir()
        texts = {}
        for number, line in enumerate(lines):
            name = f"{number:05}{line.image.suffix}"
            shutil.copyfile(line.image, crops / name)
            texts[name] = line.text
        for in_full in (False, True):
            output = Path(folder, "full" if in_full else "review")
            typist, seconds, waits = label(crops, options, output, texts, in_full)
            found = {line.image.name: line.text for line in read_labels(output / "labels.txt")}
            assert found == texts, "the page has lost or changed a label"
            print("every label typed in full" if in_full else "from the readings of the model")
            print(f"  {60 * count / seconds:.0f} crops a minute, {typist.keys / count:.2f} keystrokes a crop")
            print(f"  {', '.join(f'{number} {way}' for way, number in typist.ways.items())}")
            at = sorted(waits)[int(0.95 * len(waits))]
            print(f"  next crop: median {median(waits):.0f} ms, 95th percentile {at:.0f} ms")
            if not in_full:  # the readings are the same: they are not read again
                Path(folder, "full").mkdir()
                shutil.copy(output / "readings.json", Path(folder, "full", "readings.json"))
                Path(folder, "full", "journal.jsonl").touch()


def label(
    crops: Path, options: argparse.Namespace, output: Path, texts: dict[str, str], in_full: bool
) -> tuple[Typist, float, list[float]]:
    """Label a folder. Return the typist, the seconds, and the ms until each next crop."""
    command = [sys.executable, "-m", "linetune", "review", "--unlabelled", crops]
    command += ["--model", options.model, "--output", output, "--no-browser"]
    with subprocess.Popen(list(map(str, command)), stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout
        address = process.stdout.readline().partition(" ")[0]
        with sync_playwright() as playwright:
            browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
            page = browser.new_page()
            page.goto(address)
            page.wait_for_selector("body[data-shown]")
            page.evaluate(WATCH)
            typist = Typist(page, texts, in_full, options.look)
            started = time.perf_counter()
            for index in range(len(texts)):
                typist.settle(index)
            page.wait_for_selector(f"#bar[value='{len(texts)}']")
            seconds = time.perf_counter() - started
            waits: Any = page.evaluate("window.waits")
            browser.close()
        process.send_signal(signal.SIGINT)
        process.wait(timeout=60)
    return typist, seconds, waits


if __name__ == "__main__":
    main()
