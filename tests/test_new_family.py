"""A family that linetune does not know, registered from outside: what adding one takes."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import pytest
import torch
import torch.nn.functional as F
from conftest import Cli
from torch import Tensor, nn

from linetune.config import Config
from linetune.core.charset import Charset
from linetune.core.errors import LinetuneError
from linetune.decode.read import read_crops
from linetune.formats.model import Model
from linetune.formats.official import load_base
from linetune.formats.parity import sample_crops
from linetune.formats.registry import FORMATS
from linetune.formats.store import load_model, save_model
from linetune.models import families
from linetune.models.architecture import Architecture, Official, Part, Renaming
from linetune.models.families.names import PDPARAMS_REST, PDPARAMS_SVTR
from linetune.models.layers.necks import SVTRNeck
from linetune.models.layers.reparam import ConvBN, fold
from linetune.models.network import Network
from linetune.training.run import train

NAME = "Toy_rec"
TEXTS = ["0101", "2202", "31", "0012", "3321", "210", "13", "2"]


class ToyBackbone(Part):
    """Three convolutions, then the mean over the height and over pairs of columns."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.conv1: nn.Module = ConvBN(3, 16, (3, 3), (2, 2))
        self.conv2: nn.Module = ConvBN(16, channels, (3, 3), (2, 2))
        self.conv3: nn.Module = ConvBN(channels, channels, (1, 1))
        self.channels = channels

    def forward(self, x: Tensor) -> Tensor:
        x = F.relu(self.conv2(F.relu(self.conv1(x))))
        return F.avg_pool2d(F.relu(self.conv3(x)).mean(2, keepdim=True), (1, 2))


@dataclass(frozen=True)
class Toy(Architecture):
    """A small backbone and PP-OCRv5's neck, with names in PaddleOCR but no class in transformers."""

    family: ClassVar[str] = "Toy"

    channels: int = 48

    def make_backbone(self) -> Part:
        return ToyBackbone(self.channels)

    def make_neck(self, inputs: int) -> Part:
        return SVTRNeck(inputs)

    def pdparams_renaming(self) -> Renaming:
        return [(r"^backbone\.conv(\d)\.", r"backbone.toy\1."), *PDPARAMS_SVTR, *PDPARAMS_REST]


@dataclass(frozen=True)
class Nameless(Toy):
    """The same network without names in any other program."""

    family: ClassVar[str] = "Nameless"

    def pdparams_renaming(self) -> Renaming:
        return []


@pytest.fixture(autouse=True)
def registered() -> Iterator[None]:
    kept, official = dict(families.FAMILIES), dict(families.OFFICIAL)
    families.register(Toy, [Official(NAME, Toy(), "ppocrv5.txt")])
    families.register(Nameless)
    yield
    for registry, before in ((families.FAMILIES, kept), (families.OFFICIAL, official)):
        registry.clear()
        registry.update(before)  # type: ignore[arg-type]


def toy(characters: str = "0123 ", architecture: Architecture | None = None) -> Model:
    torch.manual_seed(0)
    charset = Charset(tuple(characters))
    network = Network(architecture or Toy(), charset.classes).eval()
    for module in network.modules():
        if isinstance(module, (nn.BatchNorm2d, nn.LayerNorm)):
            nn.init.uniform_(module.weight, 0.5, 1.5)
            nn.init.normal_(module.bias, std=0.2)
    nn.init.normal_(network.head.fc.weight, std=0.5)
    return Model(fold(network).eval(), charset, NAME, "here")


def assert_reads_the_same(back: Model, model: Model) -> None:
    assert back.network.architecture == model.network.architecture
    assert (back.charset, back.base_model) == (model.charset, NAME)
    crops = sample_crops(model.charset, 6)
    mine = read_crops(model.network.run, crops, model.decoder)
    theirs = read_crops(back.network.run, crops, back.decoder)
    assert [reading.text for reading in theirs] == [reading.text for reading in mine]
    assert [r.confidence for r in theirs] == pytest.approx([r.confidence for r in mine], abs=1e-5)


def test_a_run_trains_it(tmp_path: Path, make_crops: Callable[[Path, Sequence[str]], Path]) -> None:
    make_crops(tmp_path / "train", TEXTS)
    make_crops(tmp_path / "val", TEXTS[:3])
    save_model(toy(), tmp_path / "toy.safetensors")
    stage: dict[str, Any] = {"name": "real", "data": "train", "epochs": 2, "learning_rate": 1e-3}
    config = Config.model_validate(
        {
            "output": str(tmp_path / "run"),
            "base_model": str(tmp_path / "toy.safetensors"),
            "charset": "auto",
            "data": {
                "train": str(tmp_path / "train" / "labels.txt"),
                "val": str(tmp_path / "val" / "labels.txt"),
            },
            "stages": [stage],
        }
    )
    result = train(config)
    trained = load_model(result.model)
    assert (trained.network.architecture, trained.base_model) == (Toy(), NAME)
    FORMATS["onnx"].export(trained, tmp_path / "trained.onnx", sample_crops(trained.charset, 2))
    assert_reads_the_same(load_base(str(tmp_path / "trained.onnx")), trained)


@pytest.mark.parametrize("form", ["onnx", "pdparams", "paddle"])
def test_every_format_that_can_hold_it_reads_it_back(tmp_path: Path, form: str) -> None:
    if form == "paddle" and importlib.util.find_spec("paddle") is None:
        pytest.skip("PaddlePaddle is not installed")
    model = toy()
    path = tmp_path / f"toy{FORMATS[form].ending}"
    done = FORMATS[form].export(model, path, sample_crops(model.charset, 4))
    assert done.difference < 1e-4
    assert_reads_the_same(load_base(str(path)), model)


def test_our_own_file_keeps_its_settings(tmp_path: Path) -> None:
    model = toy(architecture=Toy(channels=32))
    save_model(model, tmp_path / "toy.safetensors")
    assert_reads_the_same(load_base(str(tmp_path / "toy.safetensors")), model)


def test_formats_without_a_place_for_it_say_so_in_one_line(tmp_path: Path) -> None:
    model = toy(architecture=Nameless())
    for form, message in (
        ("hf", "transformers has no class for Nameless; export to onnx"),
        ("pdparams", "PaddleOCR has no network of the family Nameless; export to onnx"),
    ):
        path = tmp_path / f"toy{FORMATS[form].ending}"
        with pytest.raises(LinetuneError) as caught:
            FORMATS[form].export(model, path, ())
        assert str(caught.value) == f"{path}: {message}"
    assert not list(tmp_path.iterdir())


def test_the_command_line_lists_it(cli: Cli) -> None:
    assert NAME in cli("models", "--json").out
