"""PaddleOCR's training weights and Paddle's inference folder, written and read without PaddlePaddle."""

from __future__ import annotations

import importlib.util
import json
import pickletools
import struct
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from ruamel.yaml import YAML
from test_unfold import SERVER

from linetune.core.charset import Charset
from linetune.core.errors import LinetuneError
from linetune.decode.read import deployed_batches
from linetune.formats import paddle, pdparams
from linetune.formats.dictionary import read_settings
from linetune.formats.model import Model
from linetune.formats.official import load_base
from linetune.formats.onnx_file import read_onnx
from linetune.formats.parity import sample_crops
from linetune.formats.pdparams import export as export_pdparams
from linetune.formats.pickled import read_pdparams, write_pdparams
from linetune.formats.registry import FORMATS, Format
from linetune.formats.sources import find
from linetune.formats.transfer import with_charset
from linetune.models.architecture import Architecture
from linetune.models.families import OFFICIAL
from linetune.models.families.pp_ocr_mobile import PPOCRMobile
from linetune.models.families.pp_ocrv6 import SMALL, TINY
from linetune.models.layers.reparam import fold
from linetune.models.network import Network
from linetune.models.unfold import unfold

NAME = "PP-OCRv5_mobile_rec"
ODD = ("~", '"', "\\", "#", "null", "1", "'", "-", "\u3000", "\u2028", "\x85", "\t", "é", "\U0001f468\u200d")
needs_paddle = pytest.mark.skipif(
    importlib.util.find_spec("paddle") is None, reason="PaddlePaddle is not installed"
)


def limited(characters: Sequence[str]) -> Model:
    return with_charset(load_base(NAME), Charset(tuple(characters))).model


@pytest.fixture(scope="module")
def model() -> Model:
    return limited("ABC -\u3000")


def tiny(characters: Sequence[str], guide: bool = False, architecture: Architecture | None = None) -> Model:
    """A small network whose every part does something."""
    torch.manual_seed(0)
    charset = Charset(tuple(characters))
    network = Network(architecture or PPOCRMobile(scale=0.35), charset.classes, guide).eval()
    for name, tensor in network.state_dict().items():
        if name.endswith(("running_mean", "bn.bias", "affine.bias")):
            tensor.normal_(std=0.2)
        elif name.endswith(("running_var", "bn.weight", "affine.scale")):
            tensor.uniform_(0.5, 1.2)
    names = {SMALL: "PP-OCRv6_small_rec", TINY: "PP-OCRv6_tiny_rec", SERVER: "PP-OCRv5_server_rec"}
    base = NAME if architecture is None else names[architecture]
    return Model(fold(network), charset, base, "here")


def batches(model: Model) -> list[NDArray[np.float32]]:
    return [batch for _, batch in deployed_batches(sample_crops(model.charset))]


# Unfolding


@pytest.mark.parametrize("guide", [False, True])
def test_an_unfolded_network_computes_the_same_and_folds_back(guide: bool) -> None:
    model = tiny("AB", guide)
    unfolded = unfold(model.network, batches(model))
    # Widths that no stride divides: what zero padding keeps out of a convolution has to stay out.
    for batch, width in ((1, 64), (2, 333)):
        images = np.random.default_rng(0).uniform(-1, 1, (batch, 3, 48, width)).astype(np.float32)
        assert np.abs(unfolded.run(images) - model.network.run(images)).max() < 1e-5
    before, after = model.network.state_dict(), fold(unfolded).state_dict()
    assert before.keys() == after.keys()
    for name, tensor in before.items():
        if name.endswith("weight"):
            assert torch.equal(after[name], tensor), name
        else:
            assert torch.allclose(after[name], tensor, rtol=1e-6, atol=1e-6), name


@pytest.mark.parametrize("architecture", [None, SMALL, TINY])
def test_the_first_training_step_starts_from_what_was_learned(architecture: Architecture | None) -> None:
    model = tiny("AB", architecture=architecture)
    images = np.random.default_rng(0).uniform(-1, 1, (4, 3, 48, 320)).astype(np.float32)
    network = unfold(model.network, [images])
    for part in network.modules():
        if isinstance(part, torch.nn.BatchNorm2d):
            part.train()
    with torch.no_grad():
        found = network(torch.from_numpy(images)).softmax(2).numpy()
    assert np.abs(found - model.network.run(images)).max() < 1e-3


# PaddleOCR's training weights


def test_training_weights_are_read_back_as_they_were(tmp_path: Path, model: Model) -> None:
    path = tmp_path / "new" / "codes.pdparams"
    done = export_pdparams(model, path)
    assert done.crops >= 8
    assert done.difference < 1e-3
    assert any("NRTR" in note for note in done.notes)
    assert {file.name for file in path.parent.iterdir()} == {"codes.pdparams", "codes.txt", "codes.yml"}
    back = load_base(str(path))
    assert back.charset == model.charset
    for name, tensor in model.network.state_dict().items():
        assert torch.allclose(back.network.state_dict()[name], tensor, rtol=1e-6, atol=3e-6), name


def test_training_weights_have_paddleocrs_names_and_only_arrays(tmp_path: Path) -> None:
    path = export_pdparams(tiny("AB", guide=True), tmp_path / "m.pdparams").path
    shapes = {name: array.shape for name, array in read_pdparams(path).items()}
    for name, shape in {
        "backbone.conv1.bn._variance": (16,),
        "backbone.blocks2.0.dw_conv.conv_kxk.3.conv.weight": (16, 1, 3, 3),
        "backbone.blocks2.0.dw_conv.conv_1x1.bn.weight": (16,),
        "backbone.blocks2.0.dw_conv.identity._mean": (16,),
        "backbone.blocks6.1.pw_conv.lab.scale": (1,),
        "backbone.blocks6.1.pw_conv.act.lab.bias": (1,),
        "head.ctc_encoder.encoder.conv1x1.norm._mean": (120,),
        "head.ctc_encoder.encoder.svtr_block.1.mixer.qkv.weight": (120, 360),
        "head.ctc_head.fc.weight": (120, 3),
        "head.gtc_head.decoder.0.self_attn.qkv.bias": (1152,),
        "head.gtc_head.decoder.0.cross_attn.out_proj.weight": (384, 384),
        "head.gtc_head.decoder.3.mlp.fc1.weight": (384, 1536),
        "head.gtc_head.embedding.embedding.weight": (7, 384),
    }.items():
        assert shapes[name] == shape, name
    assert not any("tracked" in name or name.startswith(("neck", "nrtr")) for name in shapes)
    # numpy 1 and 2 call their other functions by other names, and PaddleOCR's users have both.
    strings = [
        argument for _, argument, _ in pickletools.genops(path.read_bytes()) if isinstance(argument, str)
    ]
    assert "numpy" in strings
    assert not any(text.startswith(("numpy.", "_codecs")) for text in strings)


SOME_OF_OTHERS = {
    SMALL: {
        "backbone.conv1.stem2a.conv.weight": (24, 48, 2, 2),
        "backbone.blocks2.0.token_mixer.rep_dw.conv.conv.weight": (96, 1, 3, 3),
        "backbone.blocks2.0.token_mixer.rep_dw.conv.bn._mean": (96,),
        "backbone.blocks2.0.token_mixer.rep_dw.conv1.weight": (96, 1, 1, 1),
        "backbone.blocks2.0.token_mixer.rep_dw.bn._variance": (96,),
        "backbone.blocks2.0.token_mixer.se.conv1.bias": (24,),
        "backbone.blocks4.0.token_mixer.dw_conv.bn.weight": (96,),
        "backbone.blocks5.2.channel_mixer.expand.conv.weight": (768, 384, 1, 1),
        "backbone.blocks5.2.channel_mixer.compress.bn.bias": (384,),
        "head.ctc_encoder.encoder.skip_conv.conv.weight": (120, 384, 1, 1),
        "head.ctc_encoder.encoder.conv_reduce.norm._mean": (120,),
        "head.ctc_encoder.encoder.local_conv.0.weight": (120, 1, 1, 7),
        "head.ctc_encoder.encoder.local_conv.1.bias": (120,),
        "head.ctc_encoder.encoder.svtr_block.0.mlp.fc1.weight": (120, 240),
        "head.ctc_head.fc.weight": (120, 3),
    },
    TINY: {
        "backbone.conv1.0.conv.weight": (24, 3, 3, 3),
        "backbone.conv1.2.bn.weight": (48,),
        "backbone.blocks5.0.token_mixer.dw_conv.conv.weight": (96, 1, 3, 3),
        "head.ctc_head.guide_layer.0.weight": (160, 1, 5),
        "head.ctc_head.guide_layer.1._mean": (160,),
        "head.ctc_head.guide_layer.3.weight": (160, 160, 1),
        "head.ctc_head.guide_layer.4.bias": (160,),
        "head.ctc_head.fc1.weight": (160, 80),
        "head.ctc_head.fc2.bias": (3,),
    },
    SERVER: {
        "backbone.stem.stem3.bn._mean": (32,),
        "backbone.stages.0.downsample.conv.weight": (48, 1, 3, 3),
        "backbone.stages.1.blocks.0.layers.5.conv.weight": (96, 96, 3, 3),
        "backbone.stages.2.blocks.2.layers.0.conv1.conv.weight": (192, 1024, 1, 1),
        "backbone.stages.2.blocks.1.layers.0.conv2.bn.weight": (192,),
        "backbone.stages.3.blocks.0.aggregation_squeeze_conv.conv.weight": (1024, 3328, 1, 1),
        "backbone.stages.3.blocks.0.aggregation_excitation_conv.bn.bias": (2048,),
        "head.ctc_encoder.encoder.conv4.conv.weight": (256, 4096, 1, 3),
    },
}


@pytest.mark.parametrize("architecture", SOME_OF_OTHERS, ids=["small", "tiny", "server"])
def test_training_weights_of_other_networks(tmp_path: Path, architecture: Architecture) -> None:
    model = tiny("AB", architecture=architecture)
    path = export_pdparams(model, tmp_path / "m.pdparams", sample_crops(model.charset, 4)).path
    shapes = {name: array.shape for name, array in read_pdparams(path).items()}
    wanted = SOME_OF_OTHERS[architecture]
    assert {name: shapes.get(name) for name in wanted} == wanted
    assert not any(name.startswith(("neck", "nrtr")) or ".gather" in name for name in shapes)
    back = load_base(str(path))
    assert (back.network.architecture, back.base_model) == (architecture, model.base_model)
    for name, tensor in model.network.state_dict().items():
        assert torch.allclose(back.network.state_dict()[name], tensor, rtol=1e-6, atol=3e-6), name


def test_the_guide_goes_along_where_there_is_one(tmp_path: Path) -> None:
    base = tiny("AB", guide=True, architecture=SMALL)
    assert base.network.nrtr is not None
    done = export_pdparams(base, tmp_path / "m.pdparams")
    assert not any("NRTR" in note for note in done.notes)
    back = load_base(str(done.path)).network.nrtr
    assert back is not None
    for name, tensor in base.network.nrtr.state_dict().items():
        assert torch.equal(back.state_dict()[name], tensor)


@pytest.mark.parametrize(("characters", "spaced"), [("BA ", True), ("BA", False)])
def test_dictionary_and_settings_stand_beside(tmp_path: Path, characters: str, spaced: bool) -> None:
    export_pdparams(tiny(characters), tmp_path / "m.pdparams")
    assert (tmp_path / "m.txt").read_bytes() == b"B\nA\n"
    settings = YAML(typ="safe").load((tmp_path / "m.yml").read_text("utf-8"))["Global"]
    assert settings == {
        "pretrained_model": "./m.pdparams",
        "character_dict_path": "./m.txt",
        "use_space_char": spaced,
    }


@pytest.mark.parametrize("count", [3, 18_000])
def test_small_and_large_charsets(tmp_path: Path, count: int) -> None:
    model = tiny([chr(0x4E00 + i) for i in range(count)])
    export_pdparams(model, tmp_path / "m.pdparams", sample_crops(model.charset, 3))
    assert len((tmp_path / "m.txt").read_text("utf-8").splitlines()) == count


@pytest.mark.parametrize("character", ["\n", "\r"])
def test_a_character_that_ends_a_line_is_refused(tmp_path: Path, character: str) -> None:
    with pytest.raises(LinetuneError, match=rf"U\+{ord(character):04X}, which cannot be in a line"):
        export_pdparams(tiny(("A", character)), tmp_path / "m.pdparams")
    assert not list(tmp_path.iterdir())


def test_other_line_breaks_are_characters(tmp_path: Path) -> None:
    model = tiny(("A", "\u2028", "\x85", "\u3000"), architecture=TINY)
    assert load_base(str(export_pdparams(model, tmp_path / "m.pdparams").path)).charset == model.charset


def test_weights_that_differ_never_appear(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def changed(path: Path, arrays: Mapping[str, NDArray[np.float32]]) -> None:
        head = "head.ctc_head.fc.weight"
        write_pdparams(path, {**arrays, head: -arrays[head]})

    monkeypatch.setattr(pdparams, "write_pdparams", changed)
    (tmp_path / "m.txt").write_text("mine", "utf-8")
    with pytest.raises(LinetuneError, match=r"m\.pdparams: (reads|probabilities differ)"):
        export_pdparams(tiny("AB"), tmp_path / "m.pdparams")
    with pytest.raises(LinetuneError, match=r"m\.pdparams: (reads|probabilities differ)"):
        export_pdparams(tiny("AB"), tmp_path / "new" / "m.pdparams")
    assert [file.name for file in tmp_path.iterdir()] == ["m.txt"]
    assert (tmp_path / "m.txt").read_text("utf-8") == "mine"


def test_a_wrong_suffix_and_a_place_that_cannot_be_written(tmp_path: Path) -> None:
    with pytest.raises(LinetuneError, match=r"name it m\.pdparams"):
        export_pdparams(tiny("A"), tmp_path / "m.pd")
    (tmp_path / "file").write_text("x", encoding="utf-8")
    with pytest.raises(LinetuneError, match=r"m\.pdparams: cannot write \("):
        export_pdparams(tiny("A"), tmp_path / "file" / "m.pdparams")


# Paddle's inference folder


def write_folder(
    folder: Path, arrays: Mapping[str, NDArray[np.float32]], charset: Charset, base: str = NAME
) -> None:
    """The three files as PaddlePaddle 3 writes them: a program that uses the arrays in their order."""
    folder.mkdir(parents=True, exist_ok=True)
    number = {name: i + 1 for i, name in enumerate(reversed(list(arrays)))}
    operations: list[dict[str, Any]] = [
        {"#": "p", "A": [0, 1, 1, name], "O": {"%": value}} for name, value in number.items()
    ]
    operations += [{"#": "1.add", "I": [{"%": 10_000}, {"%": number[name]}]} for name in arrays]
    program = {"base_code": {"magic": "pir"}, "program": {"regions": [{"blocks": [{"ops": operations}]}]}}
    (folder / "inference.json").write_text(json.dumps(program), "utf-8")
    content = b""
    for name in sorted(arrays):
        sides = b"".join(b"\x10" + varint(side) for side in arrays[name].shape)
        content += (
            struct.pack("<IQIi", 0, 0, 0, 2 + len(sides)) + b"\x08\x05" + sides + arrays[name].tobytes()
        )
    (folder / "inference.pdiparams").write_bytes(content)
    model = Model(Network(PPOCRMobile(scale=0.35), 2), charset, base, "here")
    (folder / "inference.yml").write_text(paddle._settings(model), "utf-8")


def varint(number: int) -> bytes:
    return bytes([number]) if number < 128 else bytes([number % 128 + 128]) + varint(number // 128)


def exported_arrays(model: Model) -> dict[str, NDArray[np.float32]]:
    tensors = {f"network.{name}": tensor.numpy() for name, tensor in model.network.state_dict().items()}
    return {n: np.ascontiguousarray(a.T) if a.ndim == 2 else a for n, a in tensors.items()}


@pytest.mark.parametrize("characters", ["AB -", "AB"])
def test_an_exported_folder_is_read_back_bit_by_bit(tmp_path: Path, characters: str) -> None:
    model = limited(characters)
    with torch.no_grad():
        write_folder(tmp_path / "inference", exported_arrays(model), model.charset)
    back = load_base(str(tmp_path / "inference"))
    assert (back.charset, back.base_model) == (model.charset, NAME)
    for name, tensor in model.network.state_dict().items():
        assert torch.equal(back.network.state_dict()[name], tensor)


def test_an_official_folder_is_read(tmp_path: Path) -> None:
    path, official = find(OFFICIAL[NAME]), load_base(NAME)
    assert path is not None
    write_folder(tmp_path, read_onnx(path)[0], official.charset)
    back = load_base(str(tmp_path))
    assert back.charset == official.charset
    for name, tensor in official.network.state_dict().items():
        assert torch.equal(back.network.state_dict()[name], tensor)


def test_characters_survive_the_settings(tmp_path: Path) -> None:
    charset = Charset((*ODD, " "))
    write_folder(tmp_path, {"network.head.fc.bias": np.zeros(1, np.float32)}, charset)
    assert read_settings(tmp_path)[:3] == (NAME, charset, False)
    settings = YAML(typ="safe").load((tmp_path / "inference.yml").read_text("utf-8"))
    # PaddleX refuses other operations than these, and takes the official model's name as the argument.
    operations = {name for each in settings["PreProcess"]["transform_ops"] for name in each}
    assert operations <= {"DecodeImage", "MultiLabelEncode", "RecResizeImg", "KeepKeys"}
    assert settings["Global"]["model_name"] == NAME
    assert settings["PostProcess"]["name"] == "CTCLabelDecode"


Change = Callable[[Path], object]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda f: (f / "inference.json").write_text("{}", "utf-8"), "not a program of PaddlePaddle 3"),
        (lambda f: (f / "inference.json").write_text("[1", "utf-8"), "not a program of PaddlePaddle 3"),
        (lambda f: (f / "inference.pdiparams").unlink(), "pdiparams: weights not found"),
        (lambda f: (f / "inference.pdiparams").write_bytes(b""), "0 arrays, but the program has"),
        (lambda f: (f / "inference.pdiparams").write_bytes(b"\1" * 99), "damaged, or not float32"),
        (lambda f: (f / "inference.yml").unlink(), "inference.yml: "),
        (lambda f: (f / "inference.yml").write_text("a: [", "utf-8"), "not valid YAML"),
        (
            lambda f: (f / "inference.yml").write_text("PostProcess: 1", "utf-8"),
            "dict is not a list",
        ),
    ],
)
def test_a_damaged_folder_is_one_clear_error(
    tmp_path: Path, model: Model, change: Change, message: str
) -> None:
    write_folder(tmp_path, exported_arrays(model), model.charset)
    change(tmp_path)
    with pytest.raises(LinetuneError, match=message):
        load_base(str(tmp_path))


def test_a_cut_parameter_file_and_a_wrong_dictionary(tmp_path: Path, model: Model) -> None:
    write_folder(tmp_path, exported_arrays(model), Charset(("A",)))
    with pytest.raises(LinetuneError, match="the model has 7 classes, but its dictionary gives 3"):
        load_base(str(tmp_path))
    parameters = tmp_path / "inference.pdiparams"
    for length in (7, 1000, parameters.stat().st_size - 4):
        parameters.write_bytes(parameters.read_bytes()[:length])
        with pytest.raises(LinetuneError, match=r"damaged, or not float32|holds"):
            load_base(str(tmp_path))


def test_paddles_older_folders_say_what_to_do(tmp_path: Path) -> None:
    (tmp_path / "inference.pdmodel").write_bytes(b"x")
    with pytest.raises(LinetuneError, match="cannot read inference models of PaddlePaddle 2; convert it"):
        load_base(str(tmp_path))


def test_without_paddlepaddle_the_way_out_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Format, "available", property(lambda form: form.package is None))
    with pytest.raises(LinetuneError, match=r"needs the package 'paddle'; pip install linetune\[paddle\]"):
        FORMATS["paddle"].export(tiny("A"), tmp_path / "inference", ())
    assert not list(tmp_path.iterdir())


@needs_paddle
@pytest.mark.parametrize("characters", ["ABC", [*ODD, "A", " "], [chr(0x4E00 + i) for i in range(18_000)]])
def test_paddlepaddle_reads_what_the_model_reads(tmp_path: Path, characters: Sequence[str]) -> None:
    model = limited(characters)
    done = paddle.export(model, tmp_path / "inference", sample_crops(model.charset, 6))
    assert done.difference < 1e-3
    names = {"inference.json", "inference.pdiparams", "inference.yml"}
    assert {file.name for file in done.path.iterdir()} == names
    run, charset = paddle.open_inference(done.path)
    assert charset.characters[: len(model.charset)] == model.charset.characters
    images = np.random.default_rng(0).uniform(-1, 1, (3, 3, 48, 333)).astype(np.float32)
    assert np.abs(run(images) - model.network.run(images)).max() < 1e-3
    back = load_base(str(done.path))
    for name, tensor in model.network.state_dict().items():
        assert torch.equal(back.network.state_dict()[name], tensor)


@needs_paddle
@pytest.mark.parametrize("architecture", [SMALL, TINY, SERVER], ids=["small", "tiny", "server"])
def test_paddlepaddle_reads_what_other_networks_read(tmp_path: Path, architecture: Architecture) -> None:
    model = tiny("AB ", architecture=architecture)
    done = paddle.export(model, tmp_path / "inference", sample_crops(model.charset, 4))
    assert done.difference < 1e-4
    back = load_base(str(done.path))
    assert (back.network.architecture, back.base_model) == (architecture, model.base_model)
    for name, tensor in model.network.state_dict().items():
        assert torch.equal(back.network.state_dict()[name], tensor), name
