"""PP-OCRv6: official weights in, and the stages of a run."""

from __future__ import annotations

import copy
import pickle
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from onnx import numpy_helper
from test_models import images, randomised

from linetune.config.schema import Stage
from linetune.core.charset import Charset
from linetune.core.errors import LinetuneError
from linetune.core.labelfile import read_labels
from linetune.core.progress import Silent
from linetune.data.dataset import Dataset, load_dataset
from linetune.formats.model import Model
from linetune.formats.official import load_base, load_file
from linetune.formats.onnx_file import export as export_onnx
from linetune.formats.parity import sample_crops
from linetune.formats.sources import find
from linetune.formats.store import load_model, save_model
from linetune.models.families import OFFICIAL
from linetune.models.families.pp_ocrv6 import SMALL, TINY
from linetune.models.layers.reparam import ConvBN, fold
from linetune.models.network import Network
from linetune.training.context import Context
from linetune.training.journal import Journal
from linetune.training.stage import StageTask, train_stage

NAME = "PP-OCRv6_small_rec"
TEXTS = ["A1", "B22", "10", "AB"]
CHARSET = Charset.collect(TEXTS)


# Weights


def test_the_official_weights_give_what_their_onnx_file_gives() -> None:
    path = find(OFFICIAL[NAME])
    if path is None:
        pytest.skip("its weights are in no installed package")
    model = load_base(NAME)
    assert model.charset.classes == 18710
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    for width in (97, 333):
        batch = images(width, count=2).numpy()
        (expected,) = session.run(None, {"x": batch})
        assert np.abs(model.network.run(batch) - expected).max() < 1e-4
    # The same file by its path is recognised by its tensors.
    assert load_file(path).base_model == NAME


TO_PADDLE = [
    (r"^backbone\.stem\.conv1\.", "backbone.conv1.0."),
    (r"^backbone\.stem\.conv2\.", "backbone.conv1.2."),
    (r"^backbone\.stem\.", "backbone.conv1."),
    (r"^backbone\.stages\.(\d)\.", lambda m: f"backbone.blocks{int(m[1]) + 2}."),
    (r"\.depthwise\.branch\.", ".token_mixer.rep_dw.conv."),
    (r"\.depthwise\.branch_1x1\.", ".token_mixer.rep_dw.conv1."),
    (r"\.depthwise\.rep_bn\.", ".token_mixer.rep_dw.bn."),
    (r"\.depthwise\.", ".token_mixer.dw_conv."),
    (r"\.squeeze\.", ".token_mixer.se."),
    (r"\.(expand|compress)\.", r".channel_mixer.\1."),
    (r"^neck\.(reduce|shortcut)\.bn\.", r"neck.\1.norm."),
    (r"^neck\.reduce\.", "neck.conv_reduce."),
    (r"^neck\.shortcut\.", "neck.skip_conv."),
    (r"^neck\.local\.conv\.", "neck.local_conv.0."),
    (r"^neck\.local\.bn\.", "neck.local_conv.1."),
    (r"^neck\.blocks\.", "neck.svtr_block."),
    (r"^neck\.", "head.ctc_encoder.encoder."),
    (r"^head\.fc\.", "head.ctc_head.fc."),
    (r"\.running_mean$", "._mean"),
    (r"\.running_var$", "._variance"),
]


def test_training_weights_compute_what_the_unfolded_network_computes(tmp_path: Path) -> None:
    network = randomised(Network(SMALL, 5))
    arrays: dict[str, Any] = {}
    for ours, tensor in network.state_dict().items():
        name = ours
        for pattern, theirs in TO_PADDLE:
            name = re.sub(pattern, theirs, name)  # type: ignore[call-overload]
        if not name.endswith("num_batches_tracked"):
            arrays[name] = (tensor.T if tensor.ndim == 2 else tensor).numpy().copy()
    assert "backbone.blocks4.0.token_mixer.dw_conv.bn._mean" in arrays
    assert "backbone.blocks2.0.token_mixer.rep_dw.conv.bn._variance" in arrays
    path = tmp_path / "weights.pdparams"
    path.write_bytes(pickle.dumps(arrays, 4))
    path.with_suffix(".txt").write_text("a\nb\nc\n", encoding="utf-8")
    model = load_file(path)
    assert model.base_model == NAME
    x = images(97)
    with torch.inference_mode():
        assert (network(x).softmax(2) - model.network.eval()(x).softmax(2)).abs().max() < 1e-5


def test_an_official_file_of_the_tiny_size_is_read_with_the_dictionary_beside_it(tmp_path: Path) -> None:
    network = randomised(Network(TINY, 5))
    arrays = list[torch.Tensor]()
    for name, tensor in fold(copy.deepcopy(network)).state_dict().items():
        layer, _, kind = name.rpartition(".")
        unfolded = network.get_submodule(layer)
        # paddle2onnx leaves these batch norms as they are.
        if name.startswith(("backbone.stem.", "neck.")) and isinstance(unfolded, ConvBN):
            own = unfolded.state_dict()
            if kind == "weight":
                statistics = ("weight", "bias", "running_mean", "running_var")
                arrays += [own["conv.weight"], *(own[f"bn.{name}"] for name in statistics)]
        else:
            arrays.append(tensor.T if tensor.ndim == 2 else tensor)
    constants = [numpy_helper.from_array(a.detach().numpy().copy(), f"w_{i}") for i, a in enumerate(arrays)]
    node = onnx.helper.make_node("Network", [constant.name for constant in constants], ["y"])
    graph = onnx.helper.make_graph([node], "tiny", [], [], constants)
    path = tmp_path / "inference.onnx"
    onnx.save(onnx.helper.make_model(graph), str(path))
    with pytest.raises(LinetuneError, match="save its dictionary in the same folder"):
        load_file(path)

    settings = tmp_path / "inference.yml"
    for damaged, message in (
        ("[a, b]", "the model has 5 classes, but its dictionary gives 4; correct inference.yml"),
        ("[a, 7, c]", "inference.yml: PostProcess.character_dict has 7, which is not text; put it in quotes"),
        ("[a, b, b, b, b]", "the model has 5 classes, but its dictionary gives 7"),
    ):
        settings.write_text(f"PostProcess: {{character_dict: {damaged}}}", encoding="utf-8")
        with pytest.raises(LinetuneError, match=re.escape(message)):
            load_file(path)
    settings.write_text("PostProcess: {character_dict: [a, b, c]}", encoding="utf-8")
    model = load_file(path)
    assert (model.base_model, model.charset.characters) == ("PP-OCRv6_tiny_rec", ("a", "b", "c", " "))
    x = images(97)
    with torch.inference_mode():
        assert (network(x).softmax(2) - model.network.eval()(x).softmax(2)).abs().max() < 1e-5


def test_files_of_both_kinds_come_back(tmp_path: Path) -> None:
    network = randomised(Network(SMALL, CHARSET.classes))
    for module in network.modules():
        if isinstance(module, torch.nn.LayerNorm):  # of equal tensors the exporter writes one
            torch.nn.init.uniform_(module.weight, 0.5, 1.5)
            torch.nn.init.normal_(module.bias, std=0.2)
    model = Model(fold(network), CHARSET, NAME, "here")
    save_model(model, tmp_path / "model.safetensors")
    onnx = export_onnx(model, tmp_path / "model.onnx", sample_crops(CHARSET, 2)).path
    for back in (load_model(tmp_path / "model.safetensors"), load_file(onnx)):
        assert back.network.architecture == SMALL
        tensors = model.network.state_dict()
        assert all(torch.equal(t, tensors[n]) for n, t in back.network.state_dict().items())


def test_a_file_of_another_backbone_is_refused(tmp_path: Path) -> None:
    model = Model(fold(Network(TINY, CHARSET.classes)), CHARSET, NAME, "here")
    onnx = export_onnx(model, tmp_path / "model.onnx", sample_crops(CHARSET, 2)).path
    with pytest.raises(LinetuneError, match=r"model\.onnx: these weights do not fit the network"):
        load_file(onnx)


# Training


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory, make_crops: Callable[..., Path]) -> Dataset:
    return load_dataset(read_labels(make_crops(tmp_path_factory.mktemp("crops"), TEXTS)), CHARSET)


@pytest.fixture(params=[torch.float32, torch.bfloat16])
def context(tmp_path: Path, data: Dataset, request: pytest.FixtureRequest) -> Iterator[Context]:
    with Journal.in_folder(tmp_path) as journal:
        yield Context(CHARSET, data, 0, torch.device("cpu"), request.param, journal, Silent())


def test_the_stages_of_a_run_train_what_they_should(data: Dataset, context: Context) -> None:
    network = fold(randomised(Network(TINY, CHARSET.classes)))
    values = {"name": "one", "data": "train", "epochs": 1, "learning_rate": 1e-3, "batch_size": 4}
    for number, (frozen, part) in enumerate(((["backbone"], "neck."), ([], "backbone."))):
        before = {name: tensor.clone() for name, tensor in network.state_dict().items()}
        stage = Stage.model_validate(values | {"freeze": frozen})
        train_stage(network, StageTask(stage, number, data), context)
        after = network.state_dict()
        changed = {name for name in before if not torch.equal(before[name], after[name])}
        assert any(name.startswith(part) for name in changed)
        assert any(name.startswith("backbone.") for name in changed) == (not frozen)
