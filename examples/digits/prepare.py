"""Real data for the demo: meter-like readings composed of scikit-learn's handwritten digits.

The 1,797 digits were scanned from real forms (UCI, Optical Recognition of Handwritten Digits, 8 x 8
px). Each belongs to one split alone, so no digit of a test reading was ever seen in training.
"""

from __future__ import annotations

import shutil
import sys
from importlib import resources
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray
from sklearn.datasets import load_digits

from linetune.core import image
from linetune.core.labelfile import write_labels

READINGS = {"train": 400, "val": 150, "test": 300}
SHARES = {"train": 0.5, "val": 0.2, "test": 0.3}
FONTS = {
    "font_amatic_sc": ["AmaticSC-Regular.ttf", "AmaticSC-Bold.ttf"],
    "font_intuitive": ["Intuitive.ttf"],
    "font_roboto": ["Roboto-Light.ttf", "Roboto-Regular.ttf", "Roboto-Italic.ttf"],
}


def reading(rng: np.random.Generator, digits: NDArray[np.float64]) -> NDArray[np.uint8]:
    """One crop: digits of shape (n, 8, 8) with ink 0 to 16, side by side on paper."""
    height = int(rng.integers(28, 44))
    strip = np.zeros((height + 12, 12 + (height + 4) * len(digits)), np.float32)
    x = 6
    for digit in digits:
        columns = np.flatnonzero(digit.any(0))
        ink = digit[:, columns[0] : columns[-1] + 1].astype(np.float32) / 16
        width = round(height * ink.shape[1] / 8)
        y = 6 + int(rng.integers(-2, 3))
        strip[y : y + height, x : x + width] = cv2.resize(ink, (width, height), interpolation=cv2.INTER_CUBIC)
        x += width + int(rng.integers(1, 6))
    strip = strip[:, : x + 6].clip(0, 1)
    paper, pen = rng.uniform(190, 250, 3), rng.uniform(20, 110, 3)
    crop = paper + strip[:, :, None] * (pen - paper) + rng.normal(0, 5, (*strip.shape, 3))
    return crop.clip(0, 255).astype(np.uint8)


def main(folder: Path) -> None:
    """Write the crops, label files, fonts and configuration of the demo into ``folder``."""
    rng = np.random.default_rng(0)
    data = load_digits()
    order = rng.permutation(len(data.images))
    ends = (np.cumsum(list(SHARES.values())) * len(order)).round().astype(int)
    (folder / "crops").mkdir(parents=True, exist_ok=True)
    for (split, count), members in zip(READINGS.items(), np.split(order, ends[:-1]), strict=True):
        labels = []
        for number in range(count):
            chosen = rng.choice(members, rng.integers(4, 9), replace=False)
            name = f"{split}_{number:04d}.png"
            image.write(folder / "crops" / name, reading(rng, data.images[chosen]))
            labels.append((name, "".join(map(str, data.target[chosen]))))
        write_labels(folder / "crops" / f"{split}.txt", labels)
    (folder / "fonts").mkdir(exist_ok=True)
    for package, files in FONTS.items():
        for file in files:
            with resources.as_file(resources.files(package) / "files" / file) as path:
                shutil.copy(path, folder / "fonts" / file)
    shutil.copy(Path(__file__).with_name("linetune.yaml"), folder / "linetune.yaml")
    print(f"{sum(READINGS.values())} readings of real handwritten digits in {folder}")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
