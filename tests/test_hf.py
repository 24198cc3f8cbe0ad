from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load_file, save_file
from test_models import randomised
from test_unfold import SERVER

from linetune.core.charset import Charset
from linetune.core.errors import LinetuneError
from linetune.formats import hf as hf_module
from linetune.formats.hf import export as export_whole
from linetune.formats.hf_config import architecture_of, to_config
from linetune.formats.model import Model
from linetune.formats.official import load_base
from linetune.formats.parity import Exported, sample_crops
from linetune.formats.store import save_model
from linetune.models.architecture import Architecture
from linetune.models.families.pp_ocr_mobile import PPOCRMobile
from linetune.models.families.pp_ocrv6 import MEDIUM, SMALL, TINY
from linetune.models.layers.reparam import fold
from linetune.models.network import Network

V5 = PPOCRMobile(scale=0.35)
NAMES = {
    "v5": (V5, "PP-OCRv5_mobile_rec"),
    "tiny": (TINY, "PP-OCRv6_tiny_rec"),
    "small": (SMALL, "PP-OCRv6_small_rec"),
    "server": (SERVER, "PP-OCRv5_server_rec"),
}
CHARACTERS = ("0", "1", "A", "é", "\u3000", " ")
BLOCK = "model.backbone.encoder.blocks.0.layers.0"
SOME_NAMES = {
    "v5": {
        "model.backbone.encoder.convolution.convolution.weight": (16, 3, 3, 3),
        f"{BLOCK}.depthwise_convolution.conv_symmetric.3.normalization.bias": (16,),
        f"{BLOCK}.depthwise_convolution.identity.running_var": (16,),
        f"{BLOCK}.pointwise_convolution.act.lab.scale": (1,),
        "head.encoder.conv_block.4.convolution.weight": (120, 22, 1, 1),
        "head.encoder.svtr_block.1.self_attn.qkv.weight": (360, 120),
        "head.encoder.svtr_block.1.layer_norm2.bias": (120,),
        "head.head.weight": (7, 120),
    },
    "tiny": {
        "model.backbone.encoder.convolution.conv2.convolution.weight": (48, 24, 3, 3),
        "model.backbone.encoder.blocks.1.blocks.0.token_conv.weight": (48, 1, 3, 3),
        "head.conv1.weight": (160, 1, 5),
        "head.norm2.running_mean": (160,),
        "head.fc1.weight": (80, 160),
        "head.fc2.weight": (7, 80),
    },
    "small": {
        "model.backbone.encoder.convolution.stem2a.convolution.weight": (24, 48, 2, 2),
        "model.backbone.encoder.blocks.0.blocks.0.token_squeeze_excitation.convolutions.2.weight": (
            96,
            24,
            1,
            1,
        ),
        "model.backbone.encoder.blocks.2.blocks.0.token_conv.normalization.weight": (96,),
        "head.encoder.conv_block.2.convolution.weight": (120, 1, 1, 7),
        "head.encoder.norm.weight": (120,),
    },
    "server": {
        "model.backbone.embedder.stem2a.convolution.weight": (16, 32, 2, 2),
        "model.backbone.encoder.stages.0.downsample.convolution.weight": (48, 1, 3, 3),
        "model.backbone.encoder.stages.1.blocks.0.layers.5.convolution.weight": (96, 96, 3, 3),
        "model.backbone.encoder.stages.2.blocks.2.layers.0.conv1.convolution.weight": (192, 1024, 1, 1),
        "model.backbone.encoder.stages.3.blocks.0.layers.5.conv2.normalization.bias": (384,),
        "model.backbone.encoder.stages.3.blocks.0.aggregation.0.convolution.weight": (1024, 3328, 1, 1),
        "model.backbone.encoder.stages.3.blocks.0.aggregation.1.normalization.running_var": (2048,),
        "head.encoder.conv_block.3.convolution.weight": (256, 4096, 1, 3),
    },
}


def a_model(kind: str, charset: Charset | None = None) -> Model:
    architecture, base = NAMES[kind]
    charset = charset or Charset(CHARACTERS)
    network = fold(randomised(Network(architecture, charset.classes)))
    return Model(network, charset, base, "here")


def export_hf(model: Model, path: Path) -> Exported:
    """Exported, and compared on few crops."""
    return export_whole(model, path, sample_crops(model.charset, 2))


@pytest.fixture(autouse=True)
def without_transformers(monkeypatch: pytest.MonkeyPatch) -> None:
    """Reading back is compared in any case; transformers only in the test that is about it."""
    monkeypatch.setattr(hf_module, "_missing", lambda: "left out")


def change(path: Path, **settings: Any) -> None:
    content = json.loads(path.read_text("utf-8")) | settings
    path.write_text(json.dumps(content), encoding="utf-8")


@pytest.mark.parametrize("kind", NAMES)
def test_a_directory_is_read_back_bit_by_bit(tmp_path: Path, kind: str) -> None:
    model = a_model(kind)
    done = export_hf(model, tmp_path / "new" / "out")
    assert done.difference < 1e-4
    assert done.notes == ("not compared in transformers: left out",)
    assert [path.name for path in done.path.parent.iterdir()] == ["out"]
    back = load_base(str(done.path / "model.safetensors" if kind == "tiny" else done.path))
    assert (back.charset, back.base_model) == (model.charset, model.base_model)
    assert back.network.architecture == model.network.architecture
    tensors = model.network.state_dict()
    assert back.network.state_dict().keys() == tensors.keys()
    assert all(torch.equal(tensor, tensors[name]) for name, tensor in back.network.state_dict().items())


@pytest.mark.parametrize("architecture", [V5, TINY, SMALL, MEDIUM, SERVER])
def test_settings_give_the_architecture_with_the_size_of_its_guide(architecture: Architecture) -> None:
    assert architecture_of(to_config(architecture, 7), Path("config.json")) == architecture


@pytest.mark.parametrize("kind", NAMES)
def test_names_shapes_and_settings_are_those_of_transformers(tmp_path: Path, kind: str) -> None:
    path = export_hf(a_model(kind), tmp_path / "out").path
    shapes = {name: tuple(tensor.shape) for name, tensor in load_file(path / "model.safetensors").items()}
    assert {name: shapes.get(name) for name in SOME_NAMES[kind]} == SOME_NAMES[kind]
    with safe_open(path / "model.safetensors", framework="pt") as file:
        assert file.metadata()["format"] == "pt"
    config = json.loads((path / "config.json").read_text("utf-8"))
    assert config["head_out_channels"] == 7
    assert config["model_type"].startswith("pp_ocr")
    preprocessor = json.loads((path / "preprocessor_config.json").read_text("utf-8"))
    # The class is the place in the list: the blank stands in it, and the space.
    assert preprocessor["character_list"] == ["blank", *CHARACTERS]


def test_a_directory_without_a_list_of_characters_or_with_a_short_one(tmp_path: Path) -> None:
    path = export_hf(a_model("v5"), tmp_path / "out").path
    settings = path / "preprocessor_config.json"
    change(settings, character_list=list(CHARACTERS[:-1]))
    assert load_base(str(path)).charset.characters == CHARACTERS, "blank and space were added by readers once"
    change(settings, character_list=["blank", " ", *CHARACTERS[:-1]])
    with pytest.raises(LinetuneError, match=r"preprocessor_config\.json: the space is not the last"):
        load_base(str(path))
    settings.unlink()
    with pytest.raises(LinetuneError, match=r"preprocessor_config\.json: the model has 7 classes"):
        load_base(str(path))


def test_a_model_that_was_fed_rgb_is_turned_round(tmp_path: Path) -> None:
    model = a_model("v5")
    path = export_hf(model, tmp_path / "out").path
    change(path / "preprocessor_config.json", image_processor_type="PPOCRV5ServerRecImageProcessor")
    turned = load_base(str(path)).network.backbone.get_parameter("stem.weight")
    assert torch.equal(turned, model.network.backbone.get_parameter("stem.weight").flip(1))


def test_every_tensor_without_a_place_is_named(tmp_path: Path) -> None:
    path = export_hf(a_model("small"), tmp_path / "out").path / "model.safetensors"
    tensors = load_file(path)
    tensors["head.other.weight"] = torch.zeros(3)
    del tensors["model.backbone.encoder.blocks.0.blocks.0.channel_conv1.convolution.weight"]
    save_file(tensors, path, {"format": "pt"})
    with pytest.raises(LinetuneError) as caught:
        load_base(str(path.parent))
    assert "missing: backbone.stages.0.0.expand.conv.weight" in str(caught.value)
    assert "without a place: head.other.weight" in str(caught.value)


@pytest.mark.parametrize(
    ("kind", "settings", "message"),
    [
        ("v5", {"num_attention_heads": 4}, "num_attention_heads is 4, but linetune has 8"),
        ("small", {"mlp_ratio": 4.0}, "these weights do not fit the network"),
        (
            "small",
            {"model_type": "pp_ocrv9_rec"},
            "linetune does not know the model type 'pp_ocrv9_rec'",
        ),
        ("tiny", {"backbone_config": {"stem_channels": [3, 1, 1]}}, "knows no network with these"),
        ("tiny", {"backbone_config": {"stem_channels": [3, 24, 48]}}, "block_configs is None"),
    ],
)
def test_another_network_is_refused(
    tmp_path: Path, kind: str, settings: dict[str, Any], message: str
) -> None:
    path = export_hf(a_model(kind), tmp_path / "out").path
    change(path / "config.json", **settings)
    with pytest.raises(LinetuneError, match=message):
        load_base(str(path))


def test_damaged_directories_are_one_clear_error(tmp_path: Path) -> None:
    path = export_hf(a_model("tiny"), tmp_path / "out").path
    weights, settings = path / "model.safetensors", path / "preprocessor_config.json"
    content = weights.read_bytes()
    settings.write_text("{", encoding="utf-8")
    with pytest.raises(LinetuneError, match=r"preprocessor_config\.json:1: not valid JSON"):
        load_base(str(path))
    weights.write_bytes(content[:1000])
    with pytest.raises(LinetuneError, match=r"model\.safetensors: not a safetensors file"):
        load_base(str(path))
    weights.unlink()
    with pytest.raises(LinetuneError, match=r"model\.safetensors: weights not found"):
        load_base(str(path))


def test_only_an_export_is_ever_replaced(tmp_path: Path) -> None:
    path = export_hf(a_model("tiny"), tmp_path / "out").path
    other = a_model("tiny", Charset(("x", "y")))
    export_hf(other, path)
    assert load_base(str(path)).charset == other.charset
    (path / "mine.txt").write_text("mine", encoding="utf-8")
    with pytest.raises(LinetuneError, match=r"the folder contains mine\.txt, which would be lost"):
        export_hf(a_model("tiny"), path)
    assert load_base(str(path)).charset == other.charset
    assert list(tmp_path.iterdir()) == [path]


def test_a_directory_that_differs_never_appears(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    other = a_model("tiny", Charset(CHARACTERS))
    with torch.no_grad():
        other.network.head.fc.weight.copy_(other.network.head.fc.weight.roll(1, 0))
    monkeypatch.setattr(hf_module, "load", lambda folder: other)
    with pytest.raises(LinetuneError, match=r"trained model reads|differ"):
        export_hf(a_model("tiny"), tmp_path / "out")
    assert not list(tmp_path.iterdir())


def test_a_runs_folder_is_still_a_runs(tmp_path: Path) -> None:
    model = a_model("small")
    save_model(model, tmp_path / "model.safetensors")
    assert load_base(str(tmp_path)).network.architecture == SMALL


@pytest.mark.parametrize("architecture", [V5, TINY, SMALL, MEDIUM, SERVER])
def test_transformers_computes_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, architecture: Architecture
) -> None:
    pytest.importorskip("transformers")
    monkeypatch.undo()
    charset = Charset(CHARACTERS)
    network = fold(randomised(Network(architecture, charset.classes)))
    done = export_whole(Model(network, charset, "PP-OCRv6_small_rec", "here"), tmp_path / "out")
    if done.notes:
        pytest.skip(done.notes[0])
    assert done.difference < 1e-4
