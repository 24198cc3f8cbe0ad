from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
from numpy.typing import NDArray

from linetune.core import image
from linetune.core.charset import Charset
from linetune.core.errors import LinetuneError
from linetune.core.labelfile import read_labels
from linetune.data.dataset import Dataset, load_dataset
from linetune.decode import default_decoder
from linetune.decode.read import Run, read_crops
from linetune.formats import rounded
from linetune.formats.model import Model
from linetune.formats.official import load_base
from linetune.formats.onnx_file import open_onnx
from linetune.formats.rounded import Faster, Rounded, export_rounded
from linetune.formats.transfer import with_charset

TEXTS = ["LOT 4711", "2026-10-31", "A", "0123456789 ABCDEFGHIJKLMN"]


@pytest.fixture(scope="module")
def model() -> Model:
    charset = Charset(tuple("0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ- "))
    return with_charset(load_base("PP-OCRv5_mobile_rec"), charset).model


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory, make_crops: Callable[..., Path]) -> Dataset:
    return load_dataset(read_labels(make_crops(tmp_path_factory.mktemp("crops"), TEXTS)), None)


@pytest.fixture(scope="module", params=["fp16", "int8"])
def done(
    request: pytest.FixtureRequest, model: Model, data: Dataset, tmp_path_factory: pytest.TempPathFactory
) -> Rounded:
    path = tmp_path_factory.mktemp("rounded") / "new" / "model.onnx"
    found = export_rounded(model, path, Faster(request.param), data.crops, data.texts)
    assert list(path.parent.iterdir()) == [path]
    return found


def test_a_rounded_file_is_smaller_and_as_good(done: Rounded, data: Dataset) -> None:
    assert done.bytes < 0.65 * done.bytes_fp32
    assert done.bytes == done.path.stat().st_size
    assert (done.exact, done.exact_fp32, done.alike, done.crops) == (1, 1, len(TEXTS), len(TEXTS))
    assert done.speedup == done.crops_per_second / done.crops_per_second_fp32 > 0
    run, charset = open_onnx(done.path)
    assert [reading.text for reading in read_crops(run, data.crops, default_decoder(charset))] == TEXTS


def test_readers_feed_it_as_any_other(done: Rounded, model: Model) -> None:
    onnx.checker.check_model(onnx.load(str(done.path)))
    session = onnxruntime.InferenceSession(str(done.path), providers=["CPUExecutionProvider"])
    images = np.zeros((3, 3, 48, 333), np.float32)
    (out,) = session.run(None, {"x": images})
    assert (out.dtype, out.shape) == (np.float32, (3, image.frames(333), model.charset.classes))
    metadata = session.get_modelmeta().custom_metadata_map
    assert (*metadata["character"].splitlines(), " ") == model.charset.characters
    assert (metadata["precision"], metadata["base_model"]) == (done.form.precision, model.base_model)


def test_rounded_weights_are_not_read_back(done: Rounded) -> None:
    with pytest.raises(
        LinetuneError, match=rf"model\.onnx: its weights are rounded to {done.form.precision}, .* fp32$"
    ):
        load_base(str(done.path))


Change = Callable[[NDArray[np.float32]], NDArray[np.float32]]


def worse(monkeypatch: pytest.MonkeyPatch, change: Change) -> None:
    """Change what the rounded file answers, and spare its making."""

    def opened(path: Path, threads: int = 0) -> tuple[Run, Charset]:
        run, charset = open_onnx(path, threads)
        return (run if path.name == "fp32.onnx" else lambda batch: change(run(batch))), charset

    monkeypatch.setattr(rounded, "open_onnx", opened)
    monkeypatch.setattr(rounded, "_to_fp16", lambda content: content)


def test_a_file_that_loses_accuracy_never_appears(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, model: Model, data: Dataset
) -> None:
    worse(monkeypatch, lambda p: np.roll(p, 1, 2))
    path = tmp_path / "model.onnx"
    with pytest.raises(LinetuneError) as caught:
        export_rounded(model, path, Faster("fp16"), data.crops, data.texts)
    assert str(caught.value) == (
        f"{path}: fp16 reads 0.0% of 4 crops right, fp32 100.0%: it loses more than 0.5 points; "
        "--max-loss allows more"
    )
    assert not list(tmp_path.iterdir())
    assert export_rounded(model, path, Faster("fp16"), data.crops, data.texts, max_loss=100).exact == 0


def test_one_crop_says_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, model: Model, data: Dataset
) -> None:
    longest = max(crop.shape[1] for crop in data.crops)
    worse(monkeypatch, lambda p: np.roll(p, 1, 2) if p.shape[1] >= image.frames(longest) else p)
    done = export_rounded(model, tmp_path / "model.onnx", Faster("fp16"), data.crops, data.texts)
    assert (done.exact, done.alike) == (0.75, 3)


def test_numbers_that_are_none_are_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, model: Model
) -> None:
    worse(monkeypatch, lambda p: p * np.float32(np.nan))
    with pytest.raises(LinetuneError, match="its output is not finite"):
        export_rounded(model, tmp_path / "model.onnx", Faster("fp16"))
    assert not list(tmp_path.iterdir())


def test_without_labels_it_says_what_reads_alike(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, model: Model
) -> None:
    monkeypatch.setattr(rounded, "ROUNDS", 1)
    done = export_rounded(model, tmp_path / "model.onnx", Faster("int8"))
    assert done.exact is done.exact_fp32 is None
    assert done.crops / 2 < done.alike <= done.crops
