"""The report of a run with a thousand errors: seconds to write it, its size, and how smoothly it scrolls.

    PYTHONPATH=tests python benchmarks/report.py [--wrong 1000]

It needs Chromium and playwright. Each turn of the wheel is 400 px. A person sees a frame that takes longer
than 50 ms (the long task of https://www.w3.org/TR/longtasks-1/).
"""

from __future__ import annotations

import argparse
import tempfile
import time
from pathlib import Path
from statistics import median

from browser import empty_page, started
from demo import make_run

from linetune.report.run_page import write_report
from linetune.report.words import words

TURN = 400
FRAMES = """() => {
    window.frames = [];
    let before = performance.now();
    const next = now => { window.frames.push(now - before); before = now; requestAnimationFrame(next); };
    requestAnimationFrame(next);
}"""
"""Measures the ms between frames."""


def main() -> None:
    """Write the report, scroll from its beginning to its end, and print the figures."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", 1)[0])
    parser.add_argument("--wrong", type=int, default=1000)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        run = make_run(Path(folder) / "run", drawn=24, tested=2 * options.wrong, wrong=0.5)
        started = time.perf_counter()
        report = write_report(run, words("en"))
        seconds = time.perf_counter() - started
        print(f"written in {seconds:.1f} s, {report.stat().st_size / 2**20:.1f} MiB")
        frames = scrolled(report)
    late = sum(frame > 50 for frame in frames)
    print(f"frames: {len(frames)}, median {median(frames):.0f} ms, longest {max(frames):.0f} ms, late {late}")


def scrolled(report: Path) -> list[float]:
    """Return the ms of each frame while the page scrolls from its beginning to its end."""
    with started() as browser, empty_page(browser, viewport={"width": 1100, "height": 900}) as opened:
        page = opened.page
        page.goto(report.as_uri())
        page.wait_for_timeout(1000)
        page.evaluate(FRAMES)
        page.mouse.move(600, 400)
        while True:
            before = page.evaluate("scrollY")
            page.mouse.wheel(0, TURN)
            page.wait_for_timeout(40)
            if page.evaluate("scrollY") == before:
                break
        found: list[float] = page.evaluate("window.frames.slice(1)")
    return found


if __name__ == "__main__":
    main()
