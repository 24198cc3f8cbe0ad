from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pytest

from linetune import image, records
from linetune.charset import Charset
from linetune.config.schema import STANDARD, Config
from linetune.data.dataset import Dataset, load_dataset
from linetune.records import read_labels
from linetune.training.orientation import turned_share, with_half_turns
from linetune.weights.official import load_base
from linetune.weights.store import Model
from linetune.weights.transfer import with_charset

TEXTS = [f"{letter}{number}" for letter in "ACEFGHKLPRTUVY" for number in (127, 345, 472)]


class Told:
    """A reporter that keeps what it was told."""

    def __init__(self) -> None:
        self.said: list[str] = []

    def say(self, text: str) -> None:
        self.said.append(text)

    def progress(self, task: str, done: int, total: int, detail: str = "") -> None:
        pass


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


def config(tmp_path: Path, half_turn: float | str) -> Config:
    augment = STANDARD.model_copy(update={"half_turn": half_turn})
    stage = {"name": "real", "data": "train", "epochs": 1, "learning_rate": 1e-4, "augment": augment}
    data = {"train": "train.txt", "val": "val.txt"}
    return Config.model_validate({"output": str(tmp_path), "data": data, "stages": [stage]})


def test_crops_upside_down_are_counted(model: Model, crops: Callable[[int], Dataset]) -> None:
    assert turned_share(model, crops(3)) == pytest.approx(1 / 3, abs=0.03)


def test_auto_turns_as_many_in_training_as_stand_upside_down(
    model: Model, crops: Callable[[int], Dataset], tmp_path: Path
) -> None:
    told = Told()
    settled = with_half_turns(config(tmp_path, "auto"), model, crops(3), told)
    assert settled.stages[0].augment.turned == pytest.approx(1 / 3, abs=0.03)
    assert "33% of the real crops stand upside down" in told.said[0]


def test_auto_turns_none_where_nearly_all_stand_upright(
    model: Model, crops: Callable[[int], Dataset], tmp_path: Path
) -> None:
    told = Told()
    settled = with_half_turns(config(tmp_path, "auto"), model, crops(1000), told)
    assert settled.stages[0].augment.half_turn == 0
    assert told.said == ["about 2% of the real crops stand upside down, so half_turn: auto is 0"]


def test_a_number_stays_what_it_is(model: Model, crops: Callable[[int], Dataset], tmp_path: Path) -> None:
    asked = config(tmp_path, 0.5)
    assert with_half_turns(asked, model, crops(3), Told()) == asked


def test_crops_whose_labels_the_model_cannot_write_count_as_upright(
    model: Model, crops: Callable[[int], Dataset]
) -> None:
    unknown = with_charset(model, Charset.collect(["%"])).model
    assert turned_share(unknown, crops(3)) == 0


def test_a_model_that_cannot_tell_keeps_some_half_turns(model: Model, tmp_path: Path) -> None:
    unreadable = tmp_path / "noise"
    unreadable.mkdir()
    rng = np.random.default_rng(0)
    for number in range(8):
        noise = rng.integers(0, 255, (40, 40, 3), np.uint8)
        # Equal either way up, so that no reading can prefer one.
        image.write(unreadable / f"{number}.png", np.maximum(noise, noise[::-1, ::-1]))
    records.write_labels(unreadable / "labels.txt", [(f"{number}.png", "A127") for number in range(8)])
    crops = load_dataset(read_labels(unreadable / "labels.txt"), None)
    assert turned_share(model, crops) is None
    told = Told()
    assert with_half_turns(config(tmp_path, "auto"), model, crops, told).stages[0].augment.half_turn == 0.1
    assert told.said == ["the base model reads the real crops either way up, so half_turn: auto is 0.1"]
