"""Every format carries the history, the provenance, the rule and more of a model, and gives them back."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file
from test_export_paddle import exported_arrays, needs_paddle, tiny, write_folder

from linetune.core.errors import LinetuneError
from linetune.formats import paddle
from linetune.formats.inspection import inspect
from linetune.formats.model import Model
from linetune.formats.official import load_base
from linetune.formats.parity import sample_crops
from linetune.formats.pickled import read_pdparams, write_pdparams
from linetune.formats.registry import FORMATS
from linetune.formats.rounded import Faster, export_rounded
from linetune.formats.store import load_model, save_model
from linetune.models.families.pp_ocrv6 import TINY

HISTORY = {"name": "stage real", "val": {"exact_match": 0.5, "interval": [0.1, 0.9], "cer": 0.2}}
CALIBRATION = {"bias": -0.5, "weights": {"text": 0.9}, "readings": 100}
PROMISE = {"threshold": 0.97, "max_error": 0.01}
PROVENANCE: dict[str, Any] = {
    "weights": "9f",
    "data": {'it\'s "mine": #1\n': {"lines": 8}},
    "线\x85\U0001f600": None,
}
RULE: dict[str, Any] = {"patterns": [{"pattern": "[AB]{1,3}", "check": None}]}


@pytest.fixture(scope="module")
def model() -> Model:
    return replace(
        tiny("AB ", architecture=TINY),
        history=HISTORY,
        provenance=PROVENANCE,
        rule=RULE,
        calibration=CALIBRATION,
        promise=PROMISE,
    )


def without(model: Model) -> Model:
    return replace(model, history={}, provenance={}, rule={}, calibration={}, promise={})


@pytest.mark.parametrize("name", ["onnx", "hf", "pdparams", pytest.param("paddle", marks=needs_paddle)])
def test_an_export_keeps_the_origin(tmp_path: Path, model: Model, name: str) -> None:
    crops = sample_crops(model.charset, 2)
    form = FORMATS[name]
    back = load_base(str(form.export(model, tmp_path / f"m{form.ending}", crops).path))
    assert (back.history, back.provenance) == (HISTORY, PROVENANCE)
    assert (back.rule, back.calibration, back.promise) == (RULE, CALIBRATION, PROMISE)
    back = load_base(str(form.export(without(model), tmp_path / f"n{form.ending}", crops).path))
    assert (back.history, back.provenance, back.calibration, back.promise, back.rule) == ({}, {}, {}, {}, {})


def test_paddles_settings_keep_the_origin(tmp_path: Path, model: Model) -> None:
    with torch.no_grad():
        write_folder(tmp_path, exported_arrays(model), model.charset, model.base_model)
    assert load_base(str(tmp_path)).provenance == {}
    (tmp_path / "inference.yml").write_text(paddle._settings(model), "utf-8")
    back = load_base(str(tmp_path))
    assert (back.history, back.provenance, back.rule) == (HISTORY, PROVENANCE, RULE)


@pytest.mark.parametrize("precision", ["fp16", "int8"])
def test_a_rounded_file_keeps_the_origin(tmp_path: Path, model: Model, precision: str) -> None:
    path = tmp_path / "m.onnx"
    export_rounded(model, path, Faster(precision), sample_crops(model.charset, 2))
    found = inspect(str(path))
    assert (found.model.history, found.model.provenance, found.model.rule) == (HISTORY, PROVENANCE, RULE)
    assert (found.format, found.precision, found.model.charset) == ("onnx", precision, model.charset)
    assert found.parameters == sum(tensor.numel() for tensor in model.network.parameters())


def test_other_weights_of_the_same_name_have_another_origin(tmp_path: Path, model: Model) -> None:
    path = tmp_path / "m.pdparams"
    FORMATS["pdparams"].export(model, path, sample_crops(model.charset, 2))
    arrays = read_pdparams(path)
    write_pdparams(path, {name: np.asarray(array * 1.5, np.float32) for name, array in arrays.items()})
    assert load_base(str(path)).provenance == {}
    (tmp_path / "m.yml").write_bytes(b"\xff# weights: ")
    assert load_base(str(path)).provenance == {}


@pytest.mark.parametrize("text", ["{", "[1]", "[" * 100_000])
def test_a_damaged_origin_is_one_clear_error(tmp_path: Path, model: Model, text: str) -> None:
    folder = tmp_path / "m"
    FORMATS["hf"].export(model, folder, sample_crops(model.charset, 2))
    path = folder / "model.safetensors"
    save_file(load_file(path), path, {"format": "pt", "provenance": text})
    with pytest.raises(LinetuneError, match=r"model\.safetensors: its 'provenance' is damaged; copy"):
        load_base(str(folder))


def test_a_model_file_keeps_the_rule(tmp_path: Path, model: Model) -> None:
    save_model(model, tmp_path / "m.safetensors")
    assert load_model(tmp_path / "m.safetensors").rule == RULE
