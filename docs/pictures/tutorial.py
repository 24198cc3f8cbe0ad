"""Write the pictures of the tutorial from a folder in which its commands were run.

    PYTHONPATH=tests python docs/pictures/tutorial.py FOLDER

The reports need Chromium, playwright, and a font with Chinese characters.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import cv2
import numpy as np
from browser import empty_page, started
from PIL import Image

from linetune.core import image
from linetune.core.image import Crop
from linetune.core.labelfile import read_labels

HERE = Path(__file__).parent
PHOTOS, CROPS = 3, 12
RED = (40, 40, 220)


def photos_with_boxes(project: Path) -> Crop:
    """Return the first photos of a PPOCRLabel project side by side, with their boxes."""
    pictures = []
    for row in (project / "Label.txt").read_text("utf-8").splitlines()[:PHOTOS]:
        name, _, boxes = row.partition("\t")
        photo = image.read(project.parent / name)
        for box in json.loads(boxes):
            cv2.polylines(photo, [np.array(box["points"], np.int32)], True, RED, 3, cv2.LINE_AA)
        pictures.append(cv2.resize(photo, None, fx=0.4, fy=0.4, interpolation=cv2.INTER_AREA))
    return np.asarray(np.hstack(pictures), np.uint8)


def crops_with_labels(labels: Path) -> Crop:
    """Return the first crops of a label file in three columns, each with its label below."""
    cells = []
    for line in read_labels(labels)[:CROPS]:
        cell = np.full((84, 300, 3), 255, np.uint8)
        crop = image.read(line.image)
        scale = min(48 / crop.shape[0], 280 / crop.shape[1])
        small = cv2.resize(crop, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
        cell[4 : 4 + small.shape[0], 10 : 10 + small.shape[1]] = small
        cv2.putText(cell, line.text, (10, 74), cv2.FONT_HERSHEY_SIMPLEX, 0.6, (60, 60, 60), 1, cv2.LINE_AA)
        cells.append(cell)
    return np.asarray(np.vstack([np.hstack(cells[i : i + 3]) for i in range(0, CROPS, 3)]), np.uint8)


def main(folder: Path) -> None:
    """Write all pictures beside this file."""
    image.write(HERE / "tutorial_photos.jpg", photos_with_boxes(folder / "photos"))
    image.write(HERE / "tutorial_crops.jpg", crops_with_labels(folder / "crops" / "labels.txt"))
    run = folder / "mine" / "runs" / "first"
    for page, name in (("report.html", "tutorial_report.png"), ("zh.html", "tutorial_report.zh.png")):
        with started() as browser, empty_page(browser, viewport={"width": 1000, "height": 640}) as watched:
            # A page names the folder of the run, which is nobody's business.
            watched.page.set_content((run / page).read_text("utf-8").replace(f"{folder.resolve()}/", ""))
            watched.page.screenshot(path=str(HERE / name))
        colours = Image.open(HERE / name).convert("P", palette=Image.Palette.ADAPTIVE, colors=64)
        colours.save(HERE / name, optimize=True)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
