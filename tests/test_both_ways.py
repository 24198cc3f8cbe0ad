from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from linetune.core import image
from linetune.core.charset import Charset
from linetune.core.labelfile import read_labels
from linetune.decode import default_decoder
from linetune.formats.model import Model
from linetune.formats.official import load_base
from linetune.formats.onnx_file import export as export_onnx
from linetune.formats.onnx_file import open_onnx
from linetune.formats.paddle import open_inference
from linetune.formats.registry import FORMATS
from linetune.formats.store import load_model, save_model
from linetune.formats.transfer import with_charset
from linetune.models.both_ways import BothWays, confidence, turned
from linetune.recogniser import Recogniser

TEXTS = ["GK345", "F345", "RE562", "R5", "PB4271"]


@pytest.fixture(scope="module")
def model() -> Model:
    limited = with_charset(load_base("PP-OCRv5_mobile_rec"), Charset.collect(TEXTS)).model
    return replace(limited, both_ways=True)


@pytest.fixture(scope="module")
def crops(
    tmp_path_factory: pytest.TempPathFactory, make_crops: Callable[[Path, Sequence[str]], Path]
) -> list[image.Crop]:
    """Every other one upside down."""
    labels = make_crops(tmp_path_factory.mktemp("crops"), TEXTS)
    upright = [image.read(line.image) for line in read_labels(labels)]
    return [crop if i % 2 else image.half_turned(crop) for i, crop in enumerate(upright)]


def test_crops_upside_down_are_read(model: Model, crops: list[image.Crop]) -> None:
    assert [reading.text for reading in Recogniser(model).read(crops)] == TEXTS
    one_way = Recogniser(replace(model, both_ways=False)).read(crops)
    assert [reading.text for reading in one_way] != TEXTS
    loaded = Recogniser.load("PP-OCRv5_mobile_rec", model.charset, both_ways=True)
    assert [reading.text for reading in loaded.read(crops)] == TEXTS
    assert not Recogniser.load("PP-OCRv5_mobile_rec").model.both_ways


def test_the_onnx_file_reads_both_ways_too_and_comes_back(
    model: Model, crops: list[image.Crop], tmp_path: Path
) -> None:
    path = tmp_path / "model.onnx"
    export_onnx(model, path, crops)
    run, charset = open_onnx(path)
    padded = image.pack([image.resize(crops[0])], 320)
    assert default_decoder(charset)(run(padded))[0].text == TEXTS[0]
    back = load_base(str(path))
    assert back.both_ways
    theirs, mine = back.network.state_dict(), model.network.state_dict()
    assert all(torch.equal(theirs[name], mine[name]) for name in theirs)


def test_paddles_program_reads_both_ways_too_and_comes_back(
    model: Model, crops: list[image.Crop], tmp_path: Path
) -> None:
    pytest.importorskip("paddle")
    done = FORMATS["paddle"].export(model, tmp_path / "inference", crops)
    assert not any("as they stand" in note for note in done.notes)
    run, charset = open_inference(tmp_path / "inference")
    for width in (320, 411):  # one batch has padding, the other may have none
        padded = image.pack([image.resize(crop) for crop in crops], width)
        assert [reading.text for reading in default_decoder(charset)(run(padded))] == TEXTS
    assert load_base(str(tmp_path / "inference")).both_ways


def test_formats_that_cannot_hold_it_say_so(model: Model, crops: list[image.Crop], tmp_path: Path) -> None:
    done = FORMATS["pdparams"].export(model, tmp_path / "model.pdparams", crops)
    assert any("only onnx and paddle can read both ways up" in note for note in done.notes)


def test_a_model_file_remembers_it(model: Model, tmp_path: Path) -> None:
    save_model(model, tmp_path / "model.safetensors")
    assert load_model(tmp_path / "model.safetensors").both_ways
    save_model(replace(model, both_ways=False), tmp_path / "other.safetensors")
    assert not load_model(tmp_path / "other.safetensors").both_ways


def test_each_crop_turns_within_its_own_width() -> None:
    rng = np.random.default_rng(0)
    crops = [rng.integers(0, 256, (48, width, 3), np.uint8) for width in (100, 320, 7)]
    batch = torch.from_numpy(image.pack(crops, 320))
    upside_down = [image.half_turned(crop) for crop in crops]
    assert torch.equal(turned(batch), torch.from_numpy(image.pack(upside_down, 320)))


def test_the_confidence_is_the_decoder_s(model: Model, crops: list[image.Crop]) -> None:
    probabilities = model.network.run(image.pack([image.resize(crop) for crop in crops], 320))
    expected = [reading.confidence for reading in model.decoder(probabilities)]
    assert confidence(torch.from_numpy(probabilities)).tolist() == pytest.approx(expected, abs=1e-6)


def test_a_crop_that_reads_alike_either_way_stays_as_it_is(model: Model) -> None:
    blank = image.pack([np.full((48, 100, 3), 200, np.uint8)], 320)
    assert np.allclose(BothWays(model.network).run(blank), model.network.run(blank), atol=1e-4)
