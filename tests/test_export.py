from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from importlib.metadata import version
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from numpy.typing import NDArray

from linetune.core import image
from linetune.core.charset import Charset
from linetune.core.errors import LinetuneError
from linetune.core.image import Crop
from linetune.core.labelfile import read_labels
from linetune.data.dataset import load_dataset
from linetune.decode import default_decoder
from linetune.decode.read import Run, read_crops
from linetune.formats import onnx_file
from linetune.formats.model import Model
from linetune.formats.official import load_base
from linetune.formats.onnx_file import export as export_onnx
from linetune.formats.onnx_file import open_onnx
from linetune.formats.onnx_shape import Shape
from linetune.formats.parity import check_parity, sample_crops
from linetune.formats.transfer import with_charset
from linetune.models.families.pp_ocr_mobile import PPOCRMobile
from linetune.models.layers.reparam import fold
from linetune.models.network import Network

NAME = "PP-OCRv5_mobile_rec"
TEXTS = ["LOT 4711", "2026-10-31", "A", "0123456789 ABCDEFGHIJKLMN"]


@pytest.fixture(scope="module")
def model() -> Model:
    return with_charset(
        load_base(NAME), Charset(tuple("0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ-\u3000é "))
    ).model


@pytest.fixture(scope="module")
def crops(tmp_path_factory: pytest.TempPathFactory, make_crops: Callable[..., Path]) -> Sequence[Crop]:
    return load_dataset(read_labels(make_crops(tmp_path_factory.mktemp("crops"), TEXTS)), None).crops


@pytest.fixture(scope="module")
def exported(model: Model, tmp_path_factory: pytest.TempPathFactory, crops: list[Crop]) -> Path:
    path = tmp_path_factory.mktemp("export") / "new folder" / "modèle.onnx"
    done = export_onnx(model, path, crops)
    assert (done.path, done.crops) == (path, len(crops))
    assert done.difference < 1e-3
    assert list(path.parent.iterdir()) == [path]
    return path


def tiny(charset: Charset) -> Model:
    torch.manual_seed(0)
    return Model(fold(Network(PPOCRMobile(scale=0.35), charset.classes)).eval(), charset, NAME, "here")


def session(path: Path) -> onnxruntime.InferenceSession:
    return onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])


def test_the_file_reads_what_the_model_reads(exported: Path, model: Model, crops: list[Crop]) -> None:
    run, charset = open_onnx(exported)
    theirs = [reading.text for reading in read_crops(run, crops, default_decoder(charset))]
    assert theirs == [reading.text for reading in read_crops(model.network.run, crops, model.decoder)]
    assert theirs == TEXTS


def test_the_dictionary_is_inside_as_readers_expect_it(exported: Path, model: Model) -> None:
    metadata = session(exported).get_modelmeta().custom_metadata_map
    # Readers split lines, put the blank first and append a space.
    characters = metadata["character"].splitlines()
    assert "blank" not in characters
    assert " " not in characters
    assert (*characters, " ") == model.charset.characters
    assert "\u3000" in characters
    assert metadata["charset_sha256"] == model.charset.sha256
    assert metadata["height"] == "48"


def test_the_file_says_where_it_comes_from_and_what_it_is_fed(exported: Path, model: Model) -> None:
    metadata = session(exported).get_modelmeta().custom_metadata_map
    assert metadata["preprocessing"] == (
        "BGR; bilinear to height 48 at the line's own width; x / 127.5 - 1; "
        "padded on the right with 0 to at least 320 px"
    )
    assert (metadata["base_model"], metadata["precision"]) == (NAME, "fp32")
    file = onnx.load(str(exported))
    assert (file.producer_name, file.producer_version) == ("linetune", version("linetune"))
    assert metadata["linetune"] == version("linetune")


@pytest.mark.parametrize(("batch", "width"), [(1, 320), (3, 320), (2, 333), (1, 64), (1, 1000)])
def test_batch_and_width_are_free(exported: Path, model: Model, batch: int, width: int) -> None:
    images = np.random.default_rng(0).uniform(-1, 1, (batch, 3, 48, width)).astype(np.float32)
    (out,) = session(exported).run(None, {"x": images})
    assert out.shape == (batch, image.frames(width), model.charset.classes)
    assert np.abs(out - model.network.run(images)).max() < 1e-3


def test_old_runtimes_can_open_it(exported: Path) -> None:
    file = onnx.load(str(exported))
    onnx.checker.check_model(file)
    assert [entry.version for entry in file.opset_import if entry.domain == ""] == [17]


def test_a_file_of_another_suffix_is_refused_as_no_program_would_look_for_it(
    model: Model, tmp_path: Path
) -> None:
    with pytest.raises(
        LinetuneError, match=r"codes.txt: the suffix of an ONNX file must be .onnx; name it codes.onnx"
    ):
        export_onnx(model, tmp_path / "codes.txt")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("characters", ["AB", "AB "])
def test_the_file_is_read_back_bit_by_bit(tmp_path: Path, characters: str) -> None:
    model = with_charset(load_base(NAME), Charset(tuple(characters))).model
    path = export_onnx(model, tmp_path / "model.onnx").path
    back = load_base(str(path))
    assert (back.charset, back.base_model) == (model.charset, NAME)
    tensors = model.network.state_dict()
    assert back.network.state_dict().keys() == tensors.keys()
    assert all(torch.equal(tensor, tensors[name]) for name, tensor in back.network.state_dict().items())


@pytest.mark.parametrize("both_ways", [False, True])
def test_equal_tensors_keep_their_names(tmp_path: Path, both_ways: bool) -> None:
    network = fold(Network(PPOCRMobile(), 3)).eval()
    model = Model(network, Charset(("A", "B")), NAME, "here", both_ways=both_ways)
    with torch.no_grad():
        for parameter in model.network.neck.parameters():
            parameter.fill_(0.01)
    path = export_onnx(model, tmp_path / "model.onnx").path
    back = load_base(str(path)).network.state_dict()
    tensors = model.network.state_dict()
    assert back.keys() == tensors.keys()
    assert all(torch.equal(back[name], tensor) for name, tensor in tensors.items())


def test_a_file_that_was_changed_is_not_read_back(exported: Path, tmp_path: Path) -> None:
    path = tmp_path / "changed.onnx"

    def refused(change: Callable[[onnx.ModelProto], None]) -> str:
        content = onnx.load(str(exported))
        change(content)
        onnx.save(content, str(path))
        with pytest.raises(LinetuneError) as caught:
            load_base(str(path))
        return str(caught.value)

    def other_dictionary(content: onnx.ModelProto) -> None:
        content.metadata_props[0].value = content.metadata_props[0].value.replace("A", "a")

    def no_head(content: onnx.ModelProto) -> None:
        content.graph.initializer[-1].name = "gone"

    assert refused(other_dictionary).endswith("does not match its hash; export it again")
    assert "these weights do not fit the network; missing: head.fc.weight" in refused(no_head)


def test_the_model_is_left_as_it_was(model: Model, exported: Path) -> None:
    assert not model.network.training
    assert all(parameter.requires_grad for parameter in model.network.parameters())


@pytest.mark.parametrize("characters", ["ABC", "A", "ab "])
def test_a_small_charset_and_drawn_crops(tmp_path: Path, characters: str) -> None:
    model = tiny(Charset(tuple(characters)))
    done = export_onnx(model, tmp_path / "model.onnx")
    assert done.crops >= 8
    _, charset = open_onnx(done.path)
    # A reader always appends the space; a class that the network lacks is never read.
    assert charset.characters[: len(model.charset)] == model.charset.characters


@pytest.mark.parametrize("character", ["\u2028", "\x85", "\n", "\x0c"])
def test_a_character_that_readers_split_on_is_refused(tmp_path: Path, character: str) -> None:
    model = tiny(Charset(("A", character, "B")))
    with pytest.raises(LinetuneError, match=rf"U\+{ord(character):04X}.* split its dictionary"):
        export_onnx(model, tmp_path / "model.onnx")
    assert not list(tmp_path.iterdir())


Change = Callable[[NDArray[np.float32]], NDArray[np.float32]]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda p: np.roll(p, 1, 2), "reads .*, but the trained model reads"),
        (lambda p: p * np.float32(0.99), "probabilities differ by up to"),
        (lambda p: p * np.float32(0.9995), "or in the median by .*e-04, more than 1e-04"),
        (lambda p: p[:, :-1], "its output has the shape"),
        (lambda p: p * np.float32(np.nan), "reads|differ"),
    ],
)
def test_a_file_that_differs_never_appears(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    exported: Path,
    model: Model,
    change: Change,
    message: str,
) -> None:
    monkeypatch.setattr(onnx_file, "_graph", lambda network, shape, cut: exported.read_bytes())

    def differing(path: Path) -> tuple[Run, Charset]:
        run, charset = open_onnx(path)
        return lambda batch: change(run(batch)), charset

    monkeypatch.setattr(onnx_file, "open_onnx", differing)
    path = tmp_path / "model.onnx"
    path.write_bytes(b"an older one")
    with pytest.raises(LinetuneError, match=message):
        export_onnx(model, path)
    assert path.read_bytes() == b"an older one"
    assert list(tmp_path.iterdir()) == [path]


def test_another_dictionary_in_the_file_is_noticed(model: Model, crops: list[Crop]) -> None:
    shifted = Charset((*model.charset.characters[1:-1], model.charset.characters[0], " "))
    run = model.network.run
    with pytest.raises(LinetuneError, match=r"where\.onnx: reads '.*', but the trained model reads '.*'"):
        check_parity(run, run, model.charset, shifted, crops, Path("where.onnx"))


def test_models_that_answer_nan_are_not_equal(model: Model, crops: list[Crop]) -> None:
    def broken(batch: NDArray[np.float32]) -> NDArray[np.float32]:
        return model.network.run(batch) * np.float32(np.nan)

    with pytest.raises(LinetuneError, match="differ"):
        check_parity(broken, broken, model.charset, model.charset, crops, Path("where.onnx"))


def test_drawn_crops_have_many_widths_and_repeat() -> None:
    charset = Charset(tuple("ABC"))
    one, other = sample_crops(charset), sample_crops(charset)
    assert all(np.array_equal(a, b) for a, b in zip(one, other, strict=True))
    widths = [crop.shape[1] for crop in one]
    assert min(widths) < 64
    assert max(widths) > 640
    assert len(set(widths)) == len(widths)


def test_a_place_that_cannot_be_written_is_one_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x", encoding="utf-8")
    with pytest.raises(LinetuneError, match=r"model\.onnx: cannot write \("):
        export_onnx(tiny(Charset(("A",))), tmp_path / "file" / "model.onnx")


def axes(value: onnx.ValueInfoProto) -> list[int]:
    return [axis.dim_value for axis in value.type.tensor_type.shape.dim]


@pytest.mark.parametrize("both_ways", [False, True])
@pytest.mark.parametrize("shape", ["1x320", "3x160"])
def test_a_file_of_one_input_shape_reads_what_the_model_reads_at_that_shape(
    model: Model, crops: list[Crop], tmp_path: Path, shape: str, both_ways: bool
) -> None:
    given, path = replace(model, both_ways=both_ways), tmp_path / "a.onnx"
    fixed = Shape.parse(shape)
    done = export_onnx(given, path, crops, fixed)
    content = onnx.load(str(path))
    onnx.checker.check_model(content)
    (taken,), (given_back,) = content.graph.input, content.graph.output
    assert axes(taken) == [fixed.batch, 3, 48, fixed.width]
    assert axes(given_back) == [fixed.batch, fixed.width // 8, model.charset.classes]
    metadata = session(path).get_modelmeta().custom_metadata_map
    assert metadata["input_shape"] == f"{fixed.batch},3,48,{fixed.width}"
    assert "squashed" in metadata["preprocessing"]
    short = image.pack([image.resize(crops[2])] * fixed.batch, fixed.width)
    (probabilities,) = session(path).run(None, {"x": short})
    assert np.abs(probabilities - given.reader.run(short)).max() < 1e-4
    # The longest text is squashed to the width, and what that costs is told.
    said, note = done.notes
    assert said == f"batches of {fixed.batch}, input {fixed.batch} x 3 x 48 x {fixed.width}"
    assert f"at a width of {fixed.width} px" in note
    assert f"{1 if fixed.width == 320 else 3} are squashed to fit" in note
    back = load_base(str(path))
    assert back.both_ways is both_ways
    assert np.array_equal(back.network.run(short), model.network.run(short))


def test_an_input_shape_may_be_written_whole() -> None:
    assert Shape.parse("2x3x48x320") == Shape.parse("2x320") == Shape(2, 320)


# The last one is how others write height and width.
@pytest.mark.parametrize(
    "wrong", ["320", "1x", "0x320", "1x321", "1x8", "1x99999", "axb", "-1x320", "48x320"]
)
def test_what_is_no_input_shape_is_refused(wrong: str) -> None:
    with pytest.raises(LinetuneError, match=r"is not an input shape; write BATCHxWIDTH, such as 1x320"):
        Shape.parse(wrong)


@pytest.mark.parametrize("both_ways", [False, True])
def test_a_file_of_one_shape_has_no_operator_that_opencv_4_lacks(
    model: Model, tmp_path: Path, both_ways: bool
) -> None:
    path = tmp_path / "a.onnx"
    export_onnx(replace(model, both_ways=both_ways), path, shape=Shape(1, 320))
    operators = {node.op_type for node in onnx.load(str(path)).graph.node}
    assert not {"And", "Or", "Not", "Where"} & operators
