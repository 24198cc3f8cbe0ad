from __future__ import annotations

import dataclasses
import json
import os
import pickle
import re
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import pytest
import torch
from numpy.typing import NDArray
from safetensors import safe_open
from safetensors.torch import load_file as load_tensors
from safetensors.torch import save_file
from torch import Tensor

from linetune.core import image
from linetune.core.charset import Charset
from linetune.core.errors import LinetuneError
from linetune.core.image import Crop
from linetune.core.labelfile import read_labels
from linetune.data.dataset import load_dataset
from linetune.decode.read import read_crops
from linetune.formats.model import Model
from linetune.formats.official import load_base, load_file
from linetune.formats.sources import download, find
from linetune.formats.store import load_model, save_model
from linetune.formats.transfer import with_charset
from linetune.models.architecture import Architecture, Official
from linetune.models.families import OFFICIAL
from linetune.models.families.pp_ocr_mobile import PPOCRMobile
from linetune.models.families.pp_ocr_server import PPOCRServer
from linetune.models.families.pp_ocrv6 import MEDIUM, SMALL, TINY
from linetune.models.layers.reparam import fold
from linetune.models.network import Network
from linetune.models.nrtr import FIRST_CHARACTER

NAME = "PP-OCRv5_mobile_rec"
TEXTS = ["LOT 4711", "2026-10-31", "SN:88-A", "7", "Total 19.90", "invoice number 00482 of 1999"]
Arrays = dict[str, NDArray[np.float32]]


@pytest.fixture(scope="module")
def base() -> Model:
    return load_base(NAME)


@pytest.fixture(scope="module")
def crops(tmp_path_factory: pytest.TempPathFactory, make_crops: Callable[..., Path]) -> Sequence[Crop]:
    return load_dataset(read_labels(make_crops(tmp_path_factory.mktemp("crops"), TEXTS)), None).crops


def texts(model: Model, crops: Sequence[Crop]) -> list[str]:
    return [reading.text for reading in read_crops(model.network.run, crops, model.decoder)]


# The official model


def test_the_official_model_reads_clean_lines(base: Model, crops: list[Crop]) -> None:
    read = texts(base, crops)
    assert sum(a == b for a, b in zip(read, TEXTS, strict=True)) >= len(TEXTS) - 1, read


def test_the_official_model_gives_what_its_onnx_file_gives(
    base: Model, tmp_path: Path, make_crops: Callable[..., Path]
) -> None:
    rng = np.random.default_rng(0)
    words = ["".join(rng.choice(list("ABCDEFGHKLMNPRTUVX 0123456789"), 1 + i % 13)) + "E" for i in range(50)]
    labels = make_crops(tmp_path, [*words, "QUANTITY 1000 PIECES", "0123456789 ABCDEFGHIJKLMN"])
    lines = [image.resize(image.read(line.image)) for line in read_labels(labels)]
    path = find(OFFICIAL[NAME])
    assert path is not None
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    (graph_input,) = session.get_inputs()
    widths = {image.input_width(line.shape[1]) for line in lines}
    assert len(widths) >= 3
    for width in sorted(widths):
        alike = [line for line in lines if image.input_width(line.shape[1]) == width]
        for start in range(0, len(alike), 8):
            batch = image.pack(alike[start : start + 8], width)
            (expected,) = session.run(None, {graph_input.name: batch})
            assert np.abs(base.network.run(batch) - expected).max() < 1e-4


def test_an_unknown_model_is_answered_with_the_nearest_name() -> None:
    with pytest.raises(LinetuneError, match=f"no model 'PP-OCRv5_mobil_rec'; did you mean '{NAME}'"):
        load_base("PP-OCRv5_mobil_rec")


# Another charset


def test_known_characters_keep_their_rows_and_unknown_ones_start_neutral(base: Model) -> None:
    before = base.network.head.fc.weight.clone()
    charset = Charset(("7", "A", "\U0001d49c", "é", " "))
    moved = with_charset(base, charset)
    assert moved.unknown == ["\U0001d49c"]
    old, new = base.network.head.fc, moved.model.network.head.fc
    for mine, theirs in ((new.weight, old.weight), (new.bias, old.bias)):
        assert torch.equal(mine[0], theirs[0]), "the blank"
        for character in ("7", "A", "é", " "):
            place = charset.encode(character)[0], base.charset.encode(character)[0]
            assert torch.equal(mine[place[0]], theirs[place[1]])
        neutral = mine[charset.encode("\U0001d49c")[0]]
        assert torch.allclose(neutral, theirs[1:].mean(0), atol=1e-6)
    assert torch.equal(base.network.head.fc.weight, before), "the base model is left alone"
    assert moved.model.charset == charset


def test_texts_within_the_charset_are_read_as_before(base: Model, crops: list[Crop]) -> None:
    before = texts(base, crops)
    forwards = Charset.collect(before)
    backwards = Charset(forwards.characters[::-1])
    assert forwards != backwards
    for charset in (forwards, backwards):
        assert texts(with_charset(base, charset).model, crops) == before


def test_an_unknown_character_is_not_read(base: Model, crops: list[Crop]) -> None:
    before = texts(base, crops)
    charset = Charset((*Charset.collect(before).characters, "\U0001d49c", "\U0001d49d"))
    assert texts(with_charset(base, charset).model, crops) == before


def test_the_guide_moves_with_the_charset() -> None:
    torch.manual_seed(0)
    network = fold(Network(PPOCRMobile(scale=0.35), 4, guide=True))
    moved = with_charset(Model(network, Charset(("a", "b", "c")), NAME, "here"), Charset(("c", "x", "a")))
    old, new = network.nrtr, moved.model.network.nrtr
    assert old is not None
    assert new is not None
    for mine, theirs in ((new.embedding, old.embedding), (new.classifier, old.classifier)):
        assert torch.equal(mine.weight[:FIRST_CHARACTER], theirs.weight[:FIRST_CHARACTER])
        assert torch.equal(mine.weight[FIRST_CHARACTER], theirs.weight[FIRST_CHARACTER + 2])
        assert torch.equal(mine.weight[FIRST_CHARACTER + 2], theirs.weight[FIRST_CHARACTER])
    assert torch.equal(new.blocks[3].get_parameter("fc1.weight"), old.blocks[3].get_parameter("fc1.weight"))


# PaddleOCR's training weights

TO_PADDLE = [
    (r"^backbone\.stem\.", "backbone.conv1."),
    (r"^backbone\.stages\.(\d)\.", lambda m: f"backbone.blocks{int(m[1]) + 2}."),
    (r"\.depthwise\.", ".dw_conv."),
    (r"\.pointwise\.", ".pw_conv."),
    (r"\.squeeze\.", ".se."),
    (r"\.branches\.", ".conv_kxk."),
    (r"\.branch_1x1\.", ".conv_1x1."),
    (r"\.post_affine\.", ".act.lab."),
    (r"\.affine\.", ".lab."),
    (r"^neck\.(conv\d)\.bn\.", r"neck.\1.norm."),
    (r"^neck\.conv5\.", "neck.conv1x1."),
    (r"^neck\.blocks\.", "neck.svtr_block."),
    (r"^head\.", "head.ctc_head."),
    (r"^neck\.", "head.ctc_encoder.encoder."),
    (r"^nrtr\.before\.", "head.before_gtc.1.fc."),
    (r"^nrtr\.embedding\.", "head.gtc_head.embedding.embedding."),
    (r"^nrtr\.classifier\.", "head.gtc_head.tgt_word_prj."),
    (r"^nrtr\.blocks\.(\d)\.(fc\d)", r"head.gtc_head.decoder.\1.mlp.\2"),
    (r"^nrtr\.blocks\.", "head.gtc_head.decoder."),
    (r"\.self_attention\.proj", ".self_attn.out_proj"),
    (r"\.cross_attention\.proj", ".cross_attn.out_proj"),
    (r"\.self_attention\.", ".self_attn."),
    (r"\.cross_attention\.", ".cross_attn."),
    (r"\.running_mean$", "._mean"),
    (r"\.running_var$", "._variance"),
]

SOME_PADDLE_NAMES = {
    "backbone.conv1.conv.weight": (16, 3, 3, 3),
    "backbone.conv1.bn._mean": (16,),
    "backbone.blocks2.0.dw_conv.conv_kxk.0.conv.weight": (16, 1, 3, 3),
    "backbone.blocks2.0.dw_conv.conv_1x1.bn.weight": (16,),
    "backbone.blocks2.0.dw_conv.identity._variance": (16,),
    "backbone.blocks2.0.dw_conv.lab.scale": (1,),
    "backbone.blocks2.0.pw_conv.act.lab.bias": (1,),
    "backbone.blocks6.0.se.conv1.weight": (60, 240, 1, 1),
    "head.ctc_encoder.encoder.conv1.conv.weight": (60, 480, 1, 3),
    "head.ctc_encoder.encoder.conv1.norm.weight": (60,),
    "head.ctc_encoder.encoder.svtr_block.0.mixer.qkv.weight": (120, 360),
    "head.ctc_encoder.encoder.conv1x1.conv.weight": (120, 60, 1, 1),
    "head.ctc_head.fc.weight": (120, 5),
    "head.before_gtc.1.fc.weight": (480, 384),
    "head.gtc_head.embedding.embedding.weight": (9, 384),
    "head.gtc_head.decoder.0.self_attn.qkv.weight": (384, 1152),
    "head.gtc_head.decoder.3.self_attn.out_proj.bias": (384,),
    "head.gtc_head.decoder.0.cross_attn.q.weight": (384, 384),
    "head.gtc_head.decoder.0.cross_attn.kv.weight": (384, 768),
    "head.gtc_head.decoder.0.mlp.fc1.weight": (384, 1536),
    "head.gtc_head.decoder.0.norm1.weight": (384,),
    "head.gtc_head.tgt_word_prj.weight": (384, 9),
}


def to_paddle(network: Network) -> Arrays:
    """A network's tensors as PaddleOCR would have saved them."""
    state = {n: t for n, t in network.state_dict().items() if not n.endswith("num_batches_tracked")}
    for name in [n for n in state if ".self_attention.q." in n]:
        merged = torch.cat((state.pop(name), state.pop(name.replace(".q.", ".kv."))))
        state[name.replace(".q.", ".qkv.")] = merged
    arrays = {}
    for ours, tensor in state.items():
        name = ours
        for pattern, theirs in TO_PADDLE:
            name = re.sub(pattern, theirs, name)  # type: ignore[call-overload]
        turned = tensor.ndim == 2 and "embedding" not in name
        arrays[name] = (tensor.T if turned else tensor).numpy().copy()
    return arrays


@pytest.fixture(scope="module")
def unfolded() -> Network:
    torch.manual_seed(1)
    network = Network(PPOCRMobile(), classes=5, guide=True)
    for name, tensor in network.state_dict().items():
        if name.endswith(("running_mean", "bn.bias")):
            tensor.normal_(std=0.2)
        elif name.endswith(("running_var", "bn.weight", "affine.scale")):
            tensor.uniform_(0.5, 1.2)
    return network.eval()


@pytest.fixture(scope="module")
def paddle(unfolded: Network) -> Arrays:
    return to_paddle(unfolded)


def pickled(folder: Path, content: object, protocol: int = 4) -> Path:
    path = folder / "weights.pdparams"
    path.write_bytes(pickle.dumps(content, protocol))
    path.with_suffix(".txt").write_text("a\nb\nc\n", encoding="utf-8")
    return path


def test_the_fake_weights_have_paddleocrs_names_and_shapes(paddle: Arrays) -> None:
    assert {name: paddle[name].shape for name in SOME_PADDLE_NAMES if name in paddle} == SOME_PADDLE_NAMES


@pytest.mark.parametrize(("protocol", "named"), [(2, True), (4, False), (5, False)])
def test_training_weights_compute_what_the_unfolded_network_computes(
    tmp_path: Path, unfolded: Network, paddle: Arrays, protocol: int, named: bool
) -> None:
    content: dict[str, Any] = {k: (f"{k}_0", v) if named else v for k, v in paddle.items()}
    content["StructuredToParameterName@@"] = {name: f"{name}_0" for name in paddle}
    content["head.gtc_head.positional_encoding.pe"] = np.zeros((100, 1, 384), np.float32)
    model = load_file(pickled(tmp_path, content, protocol))
    assert model.charset.characters == ("a", "b", "c", " ")
    images = torch.rand(2, 3, 48, 150) * 2 - 1
    tokens = torch.tensor([[2, 4, 5, 6], [2, 7, 3, 0]])
    assert unfolded.nrtr is not None
    assert model.network.nrtr is not None
    model.network.eval()
    with torch.inference_mode():
        assert (unfolded(images).softmax(2) - model.network(images).softmax(2)).abs().max() < 1e-5
        features = unfolded.backbone(images)
        difference = unfolded.nrtr(features, tokens) - model.network.nrtr(features, tokens)
        assert difference.abs().max() < 1e-5


def test_training_weights_without_the_guide_load_too(tmp_path: Path, paddle: Arrays) -> None:
    bare = {n: a for n, a in paddle.items() if "gtc" not in n}
    assert load_file(pickled(tmp_path, bare)).network.nrtr is None


class Attack:
    def __init__(self, function: Callable[..., object], *arguments: object) -> None:
        self.call = function, arguments

    def __reduce__(self) -> tuple[Callable[..., object], tuple[object, ...]]:
        return self.call


@pytest.mark.parametrize("protocol", [0, 2, 4])
@pytest.mark.parametrize("function", [os.system, eval, getattr, np.load])
def test_a_pickle_that_asks_for_anything_but_arrays_is_refused_and_nothing_runs(
    tmp_path: Path, protocol: int, function: Callable[..., object]
) -> None:
    proof = tmp_path / "ran"
    attack = Attack(function, f"touch {proof}" if function is os.system else f"open({str(proof)!r}, 'w')")
    path = pickled(tmp_path, {"head.ctc_head.fc.weight": attack}, protocol)
    with pytest.raises(LinetuneError, match=r"weights\.pdparams: not a file with only arrays \(it asks for "):
        load_file(path)
    assert not proof.exists()


def test_damaged_and_odd_files_are_one_clear_error(tmp_path: Path, paddle: Arrays) -> None:
    whole = pickled(tmp_path, paddle).read_bytes()
    path = tmp_path / "weights.pdparams"
    for content in (b"", whole[:1000], whole[: len(whole) // 2], b"<html>not found</html>", b"\x80\x04."):
        path.write_bytes(content)
        with pytest.raises(LinetuneError, match=r"weights\.pdparams: not a file with only arrays"):
            load_file(path)
    for odd, message in (
        ([1, 2], "not a file with named arrays"),
        ({"a": 1}, "has no arrays"),
        ({"a": np.zeros(3, np.float32)}, "there is no CTC head"),
        ({"head.ctc_head.fc.weight": np.float32(1) * np.ones(())}, "weights"),
    ):
        with pytest.raises(LinetuneError, match=message):
            load_file(pickled(tmp_path, odd))
    with pytest.raises(LinetuneError, match=r"none\.pdparams: weights not found"):
        load_file(tmp_path / "none.pdparams")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"backbone.conv1.bn._mean": None}, r"missing: backbone\.stem\.bn\.running_mean"),
        ({"head.gtc_head.decoder.2.norm1.bias": None}, r"missing: nrtr\.blocks\.2\.norm1\.bias"),
        (
            {"head.ctc_encoder.encoder.conv3.conv.weight": np.zeros((480, 121, 1, 1), np.float32)},
            r"of another shape: neck\.conv3\.conv\.weight is \(480, 121, 1, 1\), not \(480, 120, 1, 1\)",
        ),
        ({"backbone.blocks9.x": np.zeros(1, np.float32)}, r"without a place: backbone\.blocks9\.x"),
    ],
)
def test_weights_that_do_not_fit_are_named(
    tmp_path: Path, paddle: Arrays, change: dict[str, Any], message: str
) -> None:
    content = {name: array for name, array in (paddle | change).items() if array is not None}
    with pytest.raises(LinetuneError, match=message):
        load_file(pickled(tmp_path, content))


def test_a_dictionary_of_another_size_is_refused(tmp_path: Path, paddle: Arrays) -> None:
    path = pickled(tmp_path, paddle)
    path.with_suffix(".txt").write_text("a\nb\n", encoding="utf-8")
    message = r"the model has 5 classes, but its dictionary gives 4; .* folder as weights\.txt"
    with pytest.raises(LinetuneError, match=message):
        load_file(path)


# Our own files


@pytest.fixture(scope="module")
def small() -> Model:
    torch.manual_seed(2)
    charset = Charset(("\u3000", "A", " ", "\U0001d49c", "\U0001f1e8\U0001f1f3", "é"))
    network = fold(Network(PPOCRMobile(scale=0.35), charset.classes, guide=True)).eval()
    return Model(network, charset, NAME, "here", {"val": {"cer": 0.25}})


def test_a_model_file_is_as_readable_as_any_other(tmp_path: Path, small: Model) -> None:
    (tmp_path / "other").touch()
    save_model(small, tmp_path / "small.safetensors")
    assert (tmp_path / "small.safetensors").stat().st_mode == (tmp_path / "other").stat().st_mode


def test_a_model_file_gives_back_the_same_bits(tmp_path: Path, small: Model) -> None:
    path = tmp_path / "model.safetensors"
    save_model(small, path)
    loaded = load_model(path)
    state, wanted = loaded.network.state_dict(), small.network.state_dict()
    assert state.keys() == {name for name in wanted if not name.startswith("nrtr.")}
    assert all(torch.equal(state[name], wanted[name]) for name in state)
    assert loaded.charset.characters == ("\u3000", "A", "\U0001d49c", "\U0001f1e8\U0001f1f3", "é", " ")
    assert loaded.network.architecture == PPOCRMobile(scale=0.35)
    assert (loaded.base_model, loaded.history, loaded.source) == (NAME, {"val": {"cer": 0.25}}, str(path))
    assert [p.name for p in tmp_path.iterdir()] == ["model.safetensors"]
    save_model(loaded, tmp_path / "again.safetensors")
    assert load_tensors(tmp_path / "again.safetensors").keys() == state.keys()


EARLIER_DEFAULTS = {
    "backbone": "PPLCNetV3",
    "scale": 0.95,
    "neck": "SVTR",
    "size": "small",
    "neck_channels": 120,
    "neck_ratio": 2,
    "guide_channels": 384,
}
"""The header's ``architecture`` when every file held the settings of all families."""


@pytest.mark.parametrize(
    ("architecture", "settings"),
    [
        (PPOCRMobile(scale=0.35), {"scale": 0.35}),
        (PPOCRServer(), {"backbone": "PPHGNetV2"}),
        (SMALL, {"backbone": "PPLCNetV4", "neck": "LightSVTR"}),
        (
            MEDIUM,
            {
                "backbone": "PPLCNetV4",
                "neck": "LightSVTR",
                "size": "medium",
                "neck_channels": 192,
                "neck_ratio": 4,
                "guide_channels": 512,
            },
        ),
        (TINY, {"backbone": "PPLCNetV4", "neck": "Conv", "size": "tiny", "neck_channels": 80}),
    ],
)
def test_an_earlier_model_file_is_the_same_model(
    tmp_path: Path, architecture: Architecture, settings: dict[str, Any]
) -> None:
    model = Model(fold(Network(architecture, 3)).eval(), Charset(("a", "b")), NAME, "here")
    save_model(model, tmp_path / "new.safetensors")
    with safe_open(tmp_path / "new.safetensors", framework="pt") as file:
        header = dict(file.metadata())
    # An earlier linetune fills in what a new header leaves out.
    written = json.loads(header["architecture"])
    assert EARLIER_DEFAULTS | settings == EARLIER_DEFAULTS | written
    header["architecture"] = json.dumps(EARLIER_DEFAULTS | settings)
    save_file(load_tensors(tmp_path / "new.safetensors"), tmp_path / "old.safetensors", header)
    old = load_model(tmp_path / "old.safetensors")
    assert old.network.architecture == architecture
    tensors = model.network.state_dict()
    assert old.network.state_dict().keys() == tensors.keys()
    assert all(torch.equal(tensor, tensors[name]) for name, tensor in old.network.state_dict().items())


@pytest.mark.parametrize(
    ("key", "value", "message"),
    [
        ("format", "other", "not a linetune model of a known version"),
        ("version", "1", "not a linetune model of a known version"),
        ("charset", json.dumps(["\u3000", "B", "\U0001d49c", "\U0001f1e8\U0001f1f3", "é", " "]), "hash"),
        ("charset", None, "'charset' is missing or damaged"),
        ("charset", "[", "'charset' is missing or damaged"),
        ("charset", "7", "'charset' is missing or damaged"),
        ("charset", "[1, 2]", "'charset' is missing or damaged"),
        ("charset", '["A", "A"]', "hash"),
        ("charset_sha256", None, "hash"),
        ("architecture", None, "'architecture' is missing or damaged"),
        ("architecture", '{"depth": 9}', "'architecture' is missing or damaged"),
        ("architecture", "[1]", "'architecture' is missing or damaged"),
        ("architecture", '{"scale": "big"}', "no network has these settings"),
        ("architecture", '{"scale": 0.5}', "of another shape"),
        ("base_model", None, "'base_model' is missing"),
        ("history", "{", "'history' is missing or damaged"),
    ],
)
def test_a_tampered_header_is_one_clear_error(
    tmp_path: Path, small: Model, key: str, value: str | None, message: str
) -> None:
    path = tmp_path / "model.safetensors"
    save_model(small, path)
    with safe_open(path, framework="pt") as file:
        header = dict(file.metadata())
    tensors = load_tensors(path)
    header.pop(key)
    save_file(tensors, path, header if value is None else header | {key: value})
    with pytest.raises(LinetuneError, match=message) as caught:
        load_model(path)
    assert str(path) in str(caught.value)


def test_tensors_of_a_model_file_must_fit(tmp_path: Path, small: Model) -> None:
    path = tmp_path / "model.safetensors"
    save_model(small, path)
    with safe_open(path, framework="pt") as file:
        header = file.metadata()
    tensors = load_tensors(path)
    for change, message in (
        ({"head.fc.bias": None}, r"missing: head\.fc\.bias"),
        ({"extra": torch.zeros(1)}, "without a place: extra"),
        ({"head.fc.bias": torch.zeros(3)}, r"of another shape: head\.fc\.bias is \(3,\), not \(7,\)"),
    ):
        merged: dict[str, Tensor | None] = {**tensors, **change}
        save_file({n: t for n, t in merged.items() if t is not None}, path, header)
        with pytest.raises(LinetuneError, match=message):
            load_model(path)


def test_files_that_are_no_model(tmp_path: Path) -> None:
    path = tmp_path / "model.safetensors"
    with pytest.raises(LinetuneError, match="model file not found"):
        load_file(path)
    for content in (b"", b"not safe", b"\xff" * 100):
        path.write_bytes(content)
        with pytest.raises(LinetuneError, match="not a safetensors file"):
            load_file(path)
    (tmp_path / "model.onnx").write_bytes(b"not onnx")
    with pytest.raises(LinetuneError, match=r"not an ONNX file|has no weights"):
        load_file(tmp_path / "model.onnx")
    (tmp_path / "model.bin").write_bytes(b"")
    with pytest.raises(LinetuneError, match=r"known: \.onnx, \.pdparams, \.safetensors"):
        load_file(tmp_path / "model.bin")
    (tmp_path / "empty").mkdir()
    with pytest.raises(LinetuneError, match=r"has no model\.safetensors"):
        load_file(tmp_path / "empty")


# Where official weights come from

CONTENT = bytes(range(256)) * 4000


class Server(ThreadingHTTPServer):
    """Serves its content, from the byte that is asked for."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.asked: list[str | None] = []
        self.content = CONTENT
        self.ranges = True
        self.stop_after: int | None = None


class Handler(BaseHTTPRequestHandler):
    server: Server

    def do_GET(self) -> None:
        asked = self.headers.get("Range")
        self.server.asked.append(asked)
        start = int(asked.removeprefix("bytes=").removesuffix("-")) if asked and self.server.ranges else 0
        if start >= len(self.server.content):
            self.send_error(416)
            return
        self.send_response(206 if start else 200)
        if start:
            self.send_header(
                "Content-Range", f"bytes {start}-{len(self.server.content) - 1}/{len(self.server.content)}"
            )
        self.send_header("Content-Length", str(len(self.server.content) - start))
        self.end_headers()
        self.wfile.write(self.server.content[start : self.server.stop_after])

    def log_message(self, format: str, *args: Any) -> None:
        pass


@contextmanager
def serving() -> Iterator[Server]:
    with Server() as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join()


@pytest.fixture
def server() -> Iterator[Server]:
    with serving() as server:
        yield server


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "new" / "cache"
    monkeypatch.setenv("LINETUNE_CACHE", str(folder))
    for proxy in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.delenv(proxy, raising=False)
    return folder


def at(server: Server, name: str = NAME) -> Official:
    host, port = server.server_address[:2]
    return dataclasses.replace(OFFICIAL[name], address=f"http://{host!s}:{port}")


def quiet(done: int, total: int) -> None:
    pass


def test_a_download_lands_in_the_cache(server: Server, cache: Path) -> None:
    seen: list[tuple[int, int]] = []
    path = download(at(server), lambda done, total: seen.append((done, total)))
    assert path == cache / f"{NAME}_pretrained.pdparams"
    assert path.read_bytes() == CONTENT
    assert list(cache.iterdir()) == [path]
    assert seen[-1] == (len(CONTENT), len(CONTENT))
    assert seen == sorted(seen)
    assert len(seen) > 1


@pytest.mark.parametrize("ranges", [True, False])
def test_an_interrupted_download_goes_on(server: Server, cache: Path, ranges: bool) -> None:
    server.stop_after = 300_000
    with pytest.raises(LinetuneError, match="300000 of 1024000 bytes arrived"):
        download(at(server), quiet)
    assert not (cache / f"{NAME}_pretrained.pdparams").exists()
    server.stop_after, server.ranges = None, ranges
    assert download(at(server), quiet).read_bytes() == CONTENT
    assert server.asked == [None, "bytes=300000-"]


def test_a_partial_file_that_is_already_whole_does_not_block(server: Server, cache: Path) -> None:
    cache.mkdir(parents=True)
    (cache / f"{NAME}_pretrained.pdparams.part").write_bytes(CONTENT)
    assert download(at(server), quiet).read_bytes() == CONTENT


def test_without_a_network_the_other_ways_are_named(cache: Path) -> None:
    with serving() as server:
        gone = at(server)
    with pytest.raises(LinetuneError) as caught:
        download(gone, quiet)
    message = str(caught.value)
    assert gone.url in message
    assert "cannot download the weights of PP-OCRv5_mobile_rec" in message
    assert "pip install linetune[official]" in message
    assert "base_model" in message
    assert "\n" not in message


def test_a_server_that_does_not_speak_http_is_a_failed_download(
    cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Handler, "do_GET", lambda self: self.wfile.write(b"nonsense\r\n\r\n"))
    with serving() as server, pytest.raises(LinetuneError, match="cannot download the weights"):
        download(at(server), quiet)


def test_the_cache_comes_before_the_package(cache: Path) -> None:
    packaged = find(OFFICIAL[NAME])
    assert packaged is not None
    assert packaged.suffix == ".onnx"
    cached = cache / f"{NAME}_pretrained.pdparams"
    cache.mkdir(parents=True)
    cached.with_name(cached.name + ".part").write_bytes(b"half")
    assert find(OFFICIAL[NAME]) == packaged
    cached.write_bytes(b"whole")
    assert find(OFFICIAL[NAME]) == cached


def test_a_damaged_file_in_the_cache_says_how_to_be_rid_of_it(cache: Path) -> None:
    cache.mkdir(parents=True)
    cached = cache / f"{NAME}_pretrained.pdparams"
    cached.write_text("<html>log in to the guest network</html>")
    with pytest.raises(LinetuneError, match="delete it, and linetune downloads it again") as caught:
        load_base(NAME)
    assert str(cached) in str(caught.value)
