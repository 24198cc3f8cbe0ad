"""Write docs/review.png, the page of `linetune review` with rendered crops.

python tests/review_picture.py [FILE] [--dark] [--narrow]
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

import matplotlib
import numpy as np
from browser import empty_page, started
from PIL import Image
from test_review import served

from linetune.config import Synth
from linetune.core import image, labelfile
from linetune.core.charset import Charset
from linetune.formats.official import load_base
from linetune.formats.onnx_file import export
from linetune.formats.transfer import with_charset
from linetune.synth.render import Renderer

FONT = Path(matplotlib.get_data_path(), "fonts", "ttf", "DejaVuSansMono-Bold.ttf")
WRONG = 7
"""Labels whose last digit is wrong."""
SETTLED = 4


def main() -> None:
    """Settle some crops, and write the picture of the next one."""
    wanted = [Path(each) for each in sys.argv[1:] if not each.startswith("--")]
    target = wanted[0] if wanted else Path(__file__).parents[1] / "docs" / "review.png"
    size = {"width": 400, "height": 800} if "--narrow" in sys.argv else {"width": 1000, "height": 620}
    scheme = "dark" if "--dark" in sys.argv else "light"
    renderer = Renderer.of(Synth(rule="[A-Z]{3}[0-9]{4}-[0-9]{2}", fonts=[FONT], style="print"))
    with tempfile.TemporaryDirectory() as folder:
        labels = write_crops(Path(folder), renderer)
        limited = with_charset(load_base("PP-OCRv5_mobile_rec"), Charset(renderer.rule.alphabet))
        model = export(limited.model, Path(folder, "model.onnx")).path
        with (
            served(labels, "--model", model) as review,
            started() as browser,
            empty_page(browser, viewport=size, color_scheme=scheme) as watched,
        ):
            watched.page.goto(review.address)
            for index in range(SETTLED):
                watched.page.wait_for_selector(f"body[data-shown^='{index} ']")
                watched.page.wait_for_timeout(700)
                watched.page.keyboard.press("Enter")
            watched.page.wait_for_selector(f"body[data-shown^='{SETTLED} ']")
            watched.page.keyboard.press("ArrowUp")
            watched.page.wait_for_selector(f"body[data-shown^='{SETTLED - 1} ']")
            watched.page.keyboard.press("ArrowDown")
            watched.page.wait_for_timeout(500)
            watched.page.screenshot(path=str(target))
    Image.open(target).convert("P", palette=Image.Palette.ADAPTIVE, colors=128).save(target, optimize=True)


def write_crops(folder: Path, renderer: Renderer) -> Path:
    """Render crops and write their labels, some of which are wrong."""
    rows = []
    for number in range(12):
        crop, text = renderer(number)
        image.write(folder / f"crate_{number:02}.png", np.asarray(crop, np.uint8))
        label = text[:-1] + str((int(text[-1]) + 3) % 10) if number < WRONG else text
        rows.append((f"crate_{number:02}.png", label))
    labels = folder / "labels.txt"
    labelfile.write_labels(labels, rows)
    return labels


if __name__ == "__main__":
    main()
