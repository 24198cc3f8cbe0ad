"""The smallest charsets and nearly the largest one pass through every format."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from linetune.core.charset import Charset
from linetune.core.image import Crop
from linetune.core.labelfile import read_labels
from linetune.data.dataset import load_dataset
from linetune.decode.read import read_crops
from linetune.formats.model import Model
from linetune.formats.official import load_base
from linetune.formats.registry import FORMATS
from linetune.formats.transfer import with_charset

NAME = "PP-OCRv5_mobile_rec"


@pytest.fixture(scope="module")
def crops(tmp_path_factory: pytest.TempPathFactory, make_crops: Callable[..., Path]) -> list[Crop]:
    labels = make_crops(tmp_path_factory.mktemp("crops"), ["100110", "1 01 10"])
    return list(load_dataset(read_labels(labels), None).crops)


@pytest.fixture(scope="module", params=[3, 18_000])
def model(request: pytest.FixtureRequest) -> Model:
    base = load_base(NAME)
    characters = ("0", "1", " ") if request.param == 3 else base.charset.characters[:18_000]
    return with_charset(base, Charset(characters)).model


@pytest.mark.parametrize("form", FORMATS)
def test_a_charset_passes_whatever_its_size(
    tmp_path: Path, model: Model, crops: list[Crop], form: str
) -> None:
    if not FORMATS[form].available:
        pytest.skip(f"{FORMATS[form].package} is not installed")
    path = tmp_path / f"model{FORMATS[form].ending}"
    assert FORMATS[form].export(model, path, crops).crops == len(crops)
    back = load_base(str(path))
    assert back.charset == model.charset
    expected = [reading.text for reading in read_crops(model.network.run, crops, model.decoder)]
    assert expected[0] == "100110"
    assert [reading.text for reading in read_crops(back.network.run, crops, back.decoder)] == expected
