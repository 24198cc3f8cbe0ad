"""Exported files that cut off their own padding read what the network reads on narrower input."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from conftest import Cli
from numpy.typing import NDArray
from test_export_paddle import tiny

from linetune.core import image
from linetune.core.charset import BLANK
from linetune.core.image import Crop
from linetune.formats.model import Model
from linetune.formats.official import load_base
from linetune.formats.parity import sample_crops
from linetune.formats.rounded import Faster, export_rounded
from linetune.formats.store import save_model
from linetune.models.families.pp_ocrv6 import TINY
from linetune.recogniser import Recogniser

WIDTHS = [20, 100, 287, 288, 289, 320, 500]


@pytest.fixture(scope="module", params=[False, True], ids=["one way", "both ways"])
def model(request: pytest.FixtureRequest) -> Model:
    return replace(tiny("AB ", architecture=TINY), both_ways=request.param)


@pytest.fixture(scope="module")
def exported(model: Model, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("cut") / "model.onnx"
    return export_rounded(model, path, Faster("fp32", cut=True), sample_crops(model.charset, 2)).path


def crops(widths: Sequence[int]) -> list[Crop]:
    rng = np.random.default_rng(0)
    return [rng.integers(0, 256, (48, width, 3), np.uint8) for width in widths]


def run(exported: Path, batch: NDArray[np.float32]) -> NDArray[np.float32]:
    reader = Recogniser.load(exported)
    assert reader.in_onnxruntime
    return reader._reader.run(batch)


@pytest.mark.parametrize("width", WIDTHS)
def test_the_graph_computes_on_the_width_that_is_left(model: Model, exported: Path, width: int) -> None:
    lines = [image.resize(crop) for crop in crops([width])]
    found = run(exported, image.pack(lines, image.input_width(width)))
    expected = model.run(image.pack(lines, image.cut_width(width)))
    assert found.shape[1] == image.frames(image.input_width(width))
    assert found[:, : expected.shape[1]] == pytest.approx(expected, abs=1e-4)
    assert np.all(found[:, expected.shape[1] :, BLANK] == 1)


def test_a_text_does_not_depend_on_the_other_crops(exported: Path) -> None:
    recogniser, given = Recogniser.load(exported), crops([20, 60, 100, 140, 180, 220, 260, 300])
    together = recogniser.read(given)
    for crop, reading in zip(given, together, strict=True):
        (alone,) = recogniser.read([crop])
        assert alone.text == reading.text
        assert alone.confidence == pytest.approx(reading.confidence, abs=1e-5)


def test_the_file_is_a_base_model_with_the_same_weights(model: Model, exported: Path) -> None:
    back, batch = load_base(str(exported)), image.pack(crops([100]), 320)
    assert (back.charset, back.both_ways) == (model.charset, model.both_ways)
    assert back.run(batch) == pytest.approx(model.run(batch), abs=1e-6)


def test_the_command_measures_it_and_names_the_file(tmp_path: Path, cli: Cli) -> None:
    save_model(tiny("AB ", architecture=TINY), tmp_path / "model.safetensors")
    done = cli("export", tmp_path / "model.safetensors", "--cut-padding")
    assert done.code == 0
    assert (tmp_path / "model-cut.onnx").is_file()
    assert "drawn crops read as in fp32" in done.out
    for others in (("--static", "1x320"), ("--format", "hf")):
        done = cli("export", tmp_path / "model.safetensors", "--cut-padding", *others)
        assert done.code == 2
        assert "--cut-padding: only for --format onnx without --static" in done.err
