from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from linetune.core import image
from linetune.core.charset import Charset
from linetune.core.image import Crop
from linetune.decode import Reading, default_decoder
from linetune.decode.read import read_crops

LETTERS = Charset(tuple("AB "))
DIGITS = Charset(tuple("0123456789-"))


def probabilities(best: list[int], peaks: list[float], classes: int = 4) -> NDArray[np.float32]:
    frames = np.empty((1, len(best), classes), np.float32)
    for frame, character, peak in zip(frames[0], best, peaks, strict=True):
        frame[:] = (1 - peak) / (classes - 1)
        frame[character] = peak
    return frames


@pytest.mark.parametrize(
    ("best", "text"),
    [
        ([0, 1, 0, 2, 0], "AB"),
        ([1, 1, 1, 2, 2], "AB"),
        ([1, 0, 1, 1], "AA"),
        ([1, 2, 1], "ABA"),
        ([3, 1, 0, 3, 3, 0, 3], " A  "),
        ([0, 0, 0, 0], ""),
    ],
)
def test_repeats_collapse_and_blanks_go(best: list[int], text: str) -> None:
    assert default_decoder(LETTERS)(probabilities(best, [0.9] * len(best)))[0].text == text


def test_confidence_is_the_mean_of_the_kept_peaks() -> None:
    reading = default_decoder(LETTERS)(probabilities([0, 1, 1, 0, 2], [0.99, 0.6, 0.95, 0.99, 0.8]))[0]
    assert reading.text == "AB"
    assert reading.confidence == pytest.approx((0.6 + 0.8) / 2)


def test_an_empty_text_has_no_confidence() -> None:
    assert default_decoder(LETTERS)(probabilities([0, 0], [0.9, 0.9])) == [Reading("", 0.0)]


def test_each_line_of_a_batch_is_decoded_by_itself() -> None:
    one = probabilities([1, 0, 2], [0.7, 0.9, 0.5])
    two = probabilities([2, 2, 0], [0.9, 0.6, 0.8])
    together = default_decoder(LETTERS)(np.concatenate([one, two]))
    assert together == default_decoder(LETTERS)(one) + default_decoder(LETTERS)(two)


def crops() -> list[Crop]:
    rng = np.random.default_rng(0)
    sizes = [(48, 60), (30, 300), (40, 200), (48, 320), (20, 300), (48, 60), (96, 700), (30, 300), (7, 9)]
    return [rng.integers(0, 256, (*size, 3), np.uint8) for size in sizes]


class Fake:
    """Answers with a text of all that it sees of a line: its padded width and its pixels."""

    def __init__(self) -> None:
        self.batches: list[tuple[int, ...]] = []

    def __call__(self, batch: NDArray[np.float32]) -> NDArray[np.float32]:
        self.batches.append(batch.shape)
        texts = [f"{line.shape[2]}-{round(float(np.abs(line).sum()))}" for line in batch]
        out = np.zeros((len(batch), 2 * max(map(len, texts)), DIGITS.classes), np.float32)
        out[:, :, 0] = 0.5
        for frames, text in zip(out, texts, strict=True):
            frames[np.arange(len(text)) * 2, DIGITS.encode(text)] = 1
        return out


@pytest.mark.parametrize("batch_size", [1, 2, 32])
def test_a_crop_reads_the_same_in_any_company(batch_size: int) -> None:
    given = crops()
    alone = [read_crops(Fake(), [crop], default_decoder(DIGITS))[0] for crop in given]
    assert len({reading.text for reading in alone}) == len(given)
    assert read_crops(Fake(), given, default_decoder(DIGITS), batch_size) == alone
    assert read_crops(Fake(), given[::-1], default_decoder(DIGITS), batch_size) == alone[::-1]


def test_the_network_sees_what_deployment_feeds() -> None:
    fake = Fake()
    given = crops()
    readings = read_crops(fake, given, default_decoder(DIGITS), batch_size=2)
    widths = [max(320, image.line_width(*crop.shape[:2])) for crop in given]
    assert [int(reading.text.split("-")[0]) for reading in readings] == widths
    assert all(shape[:3] in {(1, 3, 48), (2, 3, 48)} for shape in fake.batches)
    assert sum(shape[0] for shape in fake.batches) == len(given)


def test_progress_ends_at_the_number_of_crops() -> None:
    seen: list[int] = []
    read_crops(Fake(), crops(), default_decoder(DIGITS), 2, seen.append)
    assert seen == sorted(seen)
    assert seen[-1] == len(crops())


def test_no_crops_no_readings() -> None:
    assert read_crops(Fake(), [], default_decoder(DIGITS)) == []
