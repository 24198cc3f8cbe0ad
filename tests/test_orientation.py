from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from linetune.config.schema import Config
from linetune.core import image, labelfile
from linetune.core.charset import Charset
from linetune.core.labelfile import read_labels
from linetune.core.progress import Silent
from linetune.data.dataset import Dataset, load_dataset
from linetune.formats.model import Model
from linetune.formats.official import load_base
from linetune.formats.transfer import with_charset
from linetune.training.gather import Inputs
from linetune.training.orientation import any_upside_down, turned_upright
from linetune.training.run import with_both_ways

TEXTS = [f"{letter}{number}" for letter in "ACEFGHKLPRTUVY" for number in (127, 345, 472)]


class Told(Silent):
    """A reporter that keeps what it was told."""

    def __init__(self) -> None:
        self.said: list[str] = []

    def say(self, text: str) -> None:
        self.said.append(text)


@pytest.fixture(scope="module")
def model() -> Model:
    return with_charset(load_base("PP-OCRv5_mobile_rec"), Charset.collect(TEXTS)).model


@pytest.fixture
def crops(tmp_path: Path, make_crops: Callable[[Path, Sequence[str]], Path]) -> Callable[[int], Dataset]:
    """Drawn crops, every so many-th of them upside down."""

    def make(every: int) -> Dataset:
        labels = make_crops(tmp_path / f"every{every}", TEXTS)
        for line in read_labels(labels)[::every]:
            image.write(line.image, image.half_turned(image.read(line.image)))
        return load_dataset(read_labels(labels), None)

    return make


@pytest.mark.parametrize(("every", "many"), [(3, True), (1000, False)])
def test_crops_upside_down_are_noticed(
    model: Model, crops: Callable[[int], Dataset], every: int, many: bool
) -> None:
    told = Told()
    assert any_upside_down(model, (), crops(every), told) is many
    few = "2% of the real crops are upside down, or have a wrong label; below 3% they do not matter"
    assert told.said == [f"about {'33% of the real crops are upside down' if many else few}"]


def test_they_are_turned_upright_and_the_others_left(model: Model, crops: Callable[[int], Dataset]) -> None:
    given, told = crops(3), Told()
    upright = turned_upright(model, (), given, told)
    assert told.said == [f"14 of {len(TEXTS)} real crops are turned upright for training"]
    for number, (before, after) in enumerate(zip(given.crops, upright.crops, strict=True)):
        assert np.array_equal(after, image.half_turned(before) if number % 3 == 0 else before)
    assert upright.texts == given.texts


def test_crops_whose_labels_the_model_cannot_write_stay_as_they_are(
    model: Model, crops: Callable[[int], Dataset]
) -> None:
    given = crops(3)
    unknown, told = with_charset(model, Charset.collect(["%"])).model, Told()
    assert not any_upside_down(unknown, (), given, told)
    (said,) = told.said
    assert said == (
        "the base model cannot tell which real crops are upside down: 42 of 42 labels have characters that "
        "it has never seen"
    )
    for before, after in zip(given.crops, turned_upright(unknown, (), given, told).crops, strict=True):
        assert np.array_equal(before, after)


def test_a_crop_that_reads_either_way_stays_as_it_is(model: Model, tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    noise = rng.integers(0, 255, (40, 40, 3), np.uint8)
    image.write(tmp_path / "0.png", np.maximum(noise, image.half_turned(noise)))
    labelfile.write_labels(tmp_path / "labels.txt", [("0.png", "A127")])
    given, told = load_dataset(read_labels(tmp_path / "labels.txt"), None), Told()
    assert not any_upside_down(model, (), given, told)
    turned_upright(model, (), given, told)
    assert told.said[-1].endswith("; no crop is turned")


def relabelled(crops: Dataset, texts: Sequence[str]) -> Dataset:
    return replace(
        crops, lines=[replace(line, text=text) for line, text in zip(crops.lines, texts, strict=True)]
    )


def test_labels_with_characters_that_the_base_model_has_never_seen_say_nothing(
    crops: Callable[[int], Dataset],
) -> None:
    # Half of the crops are upside down. The base model has no row for a character of every label.
    given = relabelled(crops(2), [text.replace(text[0], "\u16a0") for text in TEXTS])
    start = with_charset(load_base("PP-OCRv5_mobile_rec"), Charset.collect(given.texts))
    assert start.unknown == ["\u16a0"]
    told = Told()
    assert not any_upside_down(start.model, start.unknown, given, told)
    upright = turned_upright(start.model, start.unknown, given, told)
    assert all("42 of 42 labels have characters that it has never seen" in said for said in told.said)
    assert all(np.array_equal(a, b) for a, b in zip(given.crops, upright.crops, strict=True))


def test_the_labels_that_the_base_model_can_write_speak_for_all(
    model: Model, crops: Callable[[int], Dataset]
) -> None:
    some = ["\u16a0" if number % 4 == 1 else text for number, text in enumerate(TEXTS)]
    given, told = relabelled(crops(3), some), Told()
    assert any_upside_down(model, ("\u16a0",), given, told)
    upright = turned_upright(model, ("\u16a0",), given, told)
    turned = [not np.array_equal(a, b) for a, b in zip(given.crops, upright.crops, strict=True)]
    assert turned == [number % 3 == 0 and number % 4 != 1 for number in range(len(TEXTS))]


def test_wrong_labels_turn_no_crop(model: Model, crops: Callable[[int], Dataset]) -> None:
    given, told = relabelled(crops(1000), [*TEXTS[7:], *TEXTS[:7]]), Told()
    assert not any_upside_down(model, (), given, told)
    upright = turned_upright(model, (), given, told)
    assert "labels plausible on their crops" in told.said[0]
    assert all(np.array_equal(a, b) for a, b in zip(given.crops, upright.crops, strict=True))


def test_a_few_crops_speak_for_none_and_are_told(
    model: Model, make_crops: Callable[[Path, Sequence[str]], Path], tmp_path: Path
) -> None:
    few = load_dataset(read_labels(make_crops(tmp_path / "few", TEXTS[:4])), None)
    told = Told()
    assert not any_upside_down(model, (), few, told)
    assert told.said[0].startswith("the base model cannot tell which real crops are upside down")
    labels = make_crops(tmp_path / "some", TEXTS[:20])
    for line in read_labels(labels)[:3]:
        image.write(line.image, image.half_turned(image.read(line.image)))
    told = Told()
    assert not any_upside_down(model, (), load_dataset(read_labels(labels), None), told)
    assert told.said == [
        "about 15% of the real crops are upside down",
        "3 are too few to be sure; both_ways: true turns them upright and reads both ways up",
    ]


@pytest.mark.parametrize(("every", "wanted"), [(3, True), (1000, False)])
def test_validation_crops_upside_down_count_as_well(
    model: Model, crops: Callable[[int], Dataset], every: int, wanted: bool
) -> None:
    stage = {"name": "real", "data": "train", "epochs": 1, "learning_rate": 1e-5}
    files = {"train": "train.txt", "val": "val.txt"}
    config = Config.model_validate({"output": "out", "data": files, "stages": [stage]})
    given, told = Inputs(model, model, [], {"train": crops(999)}, crops(every), None, crops), Told()
    settled, _ = with_both_ways(config, given, told)
    assert settled.both_ways is wanted
    said = "more validation crops than training crops are upside down"
    assert (said in told.said) is wanted
