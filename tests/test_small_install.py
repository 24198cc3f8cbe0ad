"""What works without the packages of the extra ``train``: reading with an exported ONNX file."""

from __future__ import annotations

import ast
import json
import os
import pickle
import re
import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from importlib.metadata import packages_distributions
from pathlib import Path
from typing import Any

import onnx
import pytest

from linetune.core import image
from linetune.core.charset import Charset
from linetune.core.errors import LinetuneError
from linetune.core.install import TRAIN
from linetune.core.labelfile import read_labels
from linetune.formats.model import Model
from linetune.formats.official import load_base
from linetune.formats.onnx_file import export, read_onnx
from linetune.formats.onnx_shape import Shape
from linetune.formats.rounded import Faster, export_rounded
from linetune.formats.transfer import with_charset
from linetune.formats.wire import MESSAGES, NUMBERS
from linetune.recogniser import Recogniser

ROOT = Path(__file__).parents[1]
TEXTS = ["LOT 4711", "2026-10-31", "SERIAL 0123456789 ABCDEF"]
# Recent releases of typer bring pydantic.
MISSING = sorted(TRAIN - {"pydantic", "pydantic_core"})
BLOCK = f"""
import sys
class Blocked:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in {MISSING!r}:
            raise ModuleNotFoundError(f"No module named {{name!r}}", name=name)
sys.meta_path.insert(0, Blocked())
for name in list(sys.modules):
    assert name.partition(".")[0] not in {MISSING!r}, name
"""


def small(code: str, *arguments: object) -> str:
    """What a program prints in a process without the packages of the extra ``train``."""
    command = [sys.executable, "-c", BLOCK + code, *map(str, arguments)]
    done = subprocess.run(command, check=False, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def crops(tmp_path_factory: pytest.TempPathFactory, make_crops: Callable[..., Path]) -> list[Path]:
    return [line.image for line in read_labels(make_crops(tmp_path_factory.mktemp("crops"), TEXTS))]


@pytest.fixture(scope="module")
def model() -> Model:
    return with_charset(load_base("PP-OCRv5_mobile_rec"), Charset.collect([*TEXTS, "OIS"])).model


@pytest.fixture(scope="module")
def exported(model: Model, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return export(model, tmp_path_factory.mktemp("export") / "model.onnx").path


@pytest.fixture(scope="module")
def static(model: Model, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return export(model, tmp_path_factory.mktemp("static") / "model.onnx", shape=Shape(1, 640)).path


def changed(exported: Path, path: Path, change: Callable[[onnx.ModelProto], object]) -> Path:
    content = onnx.load(str(exported))
    change(content)
    path.write_bytes(content.SerializeToString())
    return path


READ = """
import json
from linetune import Recogniser
readings = Recogniser.load(sys.argv[1]).read(sys.argv[2:])
print(json.dumps([[r.text, r.confidence] for r in readings]))
"""


def test_an_exported_file_reads_what_the_model_reads(exported: Path, model: Model, crops: list[Path]) -> None:
    readings = json.loads(small(READ, exported, *crops))
    expected = Recogniser(model).read(crops)
    assert [text for text, _ in readings] == [reading.text for reading in expected] == TEXTS
    for (_, confidence), reading in zip(readings, expected, strict=True):
        assert confidence == pytest.approx(reading.confidence, abs=1e-3)


def test_the_rule_and_the_calibration_in_the_file_are_used(
    model: Model, crops: list[Path], tmp_path: Path
) -> None:
    rule = {"patterns": [{"pattern": "[A-Z]{3} [0-9]{4}", "check": None}]}
    calibration = {"bias": -1.0, "weights": {"text": 0.5, "follows": 0.5}}
    ruled = export(replace(model, rule=rule, calibration=calibration), tmp_path / "ruled.onnx").path
    code = (
        "from linetune import Recogniser\nfor rule in (None, 'none', sys.argv[2]):\n"
        "    for r in Recogniser.load(sys.argv[1], rule=rule).read(sys.argv[3:]): print(r.text, r.admitted)"
    )
    (tmp_path / "list.txt").write_text("2026-10-31\nLOT 4712\n", "utf-8")
    found = small(code, ruled, tmp_path / "list.txt", *crops[:2]).splitlines()
    assert found[:2] == ["LOT 4711 True", "2026-10-31 False"]
    assert found[2:4] == ["LOT 4711 None", "2026-10-31 None"]
    assert found[5] == "2026-10-31 True"


def test_predict_reads_a_folder(exported: Path, crops: list[Path]) -> None:
    code = (
        "from linetune.cli import main\nsys.argv[0] = 'linetune'\n"
        "try: main()\nexcept SystemExit as ended: assert not ended.code, ended.code\n"
    )
    rows = [row.split("\t") for row in small(code, "predict", exported, crops[0].parent).splitlines()]
    assert [(Path(path).name, text) for path, text, _ in rows] == [
        (path.name, text) for path, text in zip(crops, TEXTS, strict=True)
    ]


def test_the_doctor_says_what_is_missing() -> None:
    code = "import json, linetune.doctor as d\nprint(json.dumps([each.as_dict() for each in d.examine()]))"
    findings = json.loads(small(code))
    said = {each["name"]: each["text"] for each in findings}
    assert not any(each["broken"] for each in findings)
    assert "small installation, which reads exported ONNX files" in said["linetune"]
    assert said["memory"].startswith("not known: ")
    assert "torch" in said["[train]"]
    assert said["[train]"].endswith("pip install 'linetune[train]'")
    assert said["result"].startswith("works: reading exported files")
    assert "Missing: training" in said["result"]


def test_reading_imports_only_what_it_needs(exported: Path, crops: list[Path]) -> None:
    code = READ + "print(json.dumps(sorted({name.partition('.')[0] for name in sys.modules})))"
    names = json.loads(small(code, exported, crops[0]).splitlines()[-1])
    others = {name for name in names if not name.startswith("_")} - sys.stdlib_module_names
    others.discard("sitecustomize")  # Debian's Python imports it at each start
    assert others <= {"linetune", "numpy", "cv2", "onnxruntime", "bidi", "flatbuffers", "google", "packaging"}


COMMANDS = [
    ("init", "new", "--from", "labels.txt"),
    ("from-paddle", "labels.txt", "-o", "run.yaml"),
    ("models",),
    ("import", "crops", "--to", "imported"),
    ("check", "linetune.yaml"),
    ("suspects", "linetune.yaml"),
    ("rule", "labels.txt"),
    ("synth", "linetune.yaml", "--preview", "sheet.png"),
    ("train", "linetune.yaml"),
    ("watch", "crops"),
    ("learning-curve", "linetune.yaml"),
    ("evaluate", "PP-OCRv5_mobile_rec", "labels.txt"),
    ("compare", "PP-OCRv5_mobile_rec", "model.safetensors", "labels.txt"),
    ("report", "run"),
    ("predict", "model.safetensors", "a.png"),
    ("predict", "STATIC", "a.png"),
    ("predict", "EXPORTED", "a.png", "--both-ways"),
    ("predict", "EXPORTED", "a.png", "--charset", "labels.txt"),
    ("export", "EXPORTED", "--output", "other.onnx"),
    ("inspect", "EXPORTED"),
]
RUN = """
import contextlib, io, json
from linetune.cli import main
results = []
for arguments in json.loads(sys.argv[1]):
    sys.argv = ["linetune", *arguments]
    with contextlib.redirect_stderr(io.StringIO()) as err, contextlib.redirect_stdout(io.StringIO()):
        try:
            main()
        except SystemExit as ended:
            results.append([ended.code, err.getvalue()])
print(json.dumps(results))
"""


def test_every_command_that_needs_more_says_so_in_one_line(
    exported: Path, static: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("labels.txt", "linetune.yaml", "model.safetensors", "a.png"):
        Path(name).write_text("a.png\tA1\n")
    Path("crops").mkdir()
    places = {"EXPORTED": str(exported), "STATIC": str(static)}
    commands = [[places.get(word, word) for word in command] for command in COMMANDS]
    before = sorted(tmp_path.rglob("*"))
    results = json.loads(small(RUN, json.dumps(commands)))
    for command, (code, err) in zip(COMMANDS, results, strict=True):
        assert code == 2, (command, err)
        assert re.fullmatch(
            r"error: this needs \w+, which is not installed; pip install 'linetune\[train\]'\n", err
        ), (command, err)
    assert sorted(tmp_path.rglob("*")) == before


def test_the_python_interface_says_it_too(exported: Path) -> None:
    code = """
import linetune
for use in (lambda: linetune.train, lambda: linetune.load_config, lambda: linetune.Recogniser.load("runs/a"),
            lambda: linetune.Recogniser.load(sys.argv[1]).model):
    try:
        use()
    except linetune.LinetuneError as error:
        print(error)
"""
    lines = small(code, exported).splitlines()
    assert len(lines) == 4
    assert all(line.endswith("which is not installed; pip install 'linetune[train]'") for line in lines)


def test_the_extra_train_has_what_the_code_imports() -> None:
    text = (ROOT / "pyproject.toml").read_text("utf-8")
    of = packages_distributions()
    groups = {
        name: {
            re.split(r"[^\w.-]", line.strip(' ",'))[0].lower() for line in body.splitlines() if line.strip()
        }
        for name, body in re.findall(r"^(dependencies|train) = \[\n(.*?)^\]", text, re.M | re.S)
    }
    extras = {"huggingface_hub", "paddle", "pyarrow", "transformers", "torchvision"}
    for path in (ROOT / "src").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            imported = [node.module or ""] if isinstance(node, ast.ImportFrom) else []
            imported += [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            for module in {name.partition(".")[0] for name in imported} - extras - {"linetune", ""}:
                if module not in sys.stdlib_module_names:
                    group = groups["train" if module in TRAIN else "dependencies"]
                    assert {name.lower() for name in of[module]} & group, f"{path.name} imports {module}"


def test_it_can_be_pickled_for_other_processes_and_folders(
    exported: Path, crops: list[Path], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(exported.parent)
    content = pickle.dumps(Recogniser.load(exported.name))
    assert len(content) < 1000
    monkeypatch.chdir(tmp_path)
    assert [reading.text for reading in pickle.loads(content).read(crops)] == TEXTS


def test_threads_share_it(exported: Path, crops: list[Path]) -> None:
    recogniser = Recogniser.load(exported)
    with ThreadPoolExecutor(4) as threads:
        readings = list(threads.map(lambda number: recogniser.read([crops[number % 3]])[0], range(12)))
    assert [reading.text for reading in readings] == TEXTS * 4


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")
def test_a_forked_process_reads_with_it(exported: Path, crops: list[Path]) -> None:
    code = """
import linetune, os
recogniser = linetune.Recogniser.load(sys.argv[1])
print(recogniser.read([sys.argv[2]])[0].text, flush=True)
if os.fork() == 0:
    print(recogniser.read([sys.argv[2]])[0].text, flush=True)
    os._exit(0)
os.wait()
"""
    assert small(code, exported, crops[0]).splitlines() == [TEXTS[0]] * 2


@pytest.mark.parametrize("precision", ["fp16", "int8"])
def test_a_rounded_file_is_read(precision: str, model: Model, crops: list[Path], tmp_path: Path) -> None:
    path = tmp_path / "model.onnx"
    export_rounded(model, path, Faster(precision), [image.read(crop) for crop in crops], TEXTS)
    assert [reading.text for reading in Recogniser.load(path).read(crops)] == TEXTS
    with pytest.raises(LinetuneError, match=f"its weights are rounded to {precision}"):
        _ = Recogniser.load(path).model


def test_a_file_of_one_shape_reads_lines_at_their_own_width(static: Path, crops: list[Path]) -> None:
    assert [reading.text for reading in Recogniser.load(static).read(crops)] == TEXTS


def external(content: onnx.ModelProto) -> None:
    tensor = content.graph.initializer[0]
    tensor.external_data.add(key="location", value="/etc/passwd")
    tensor.data_location = onnx.TensorProto.EXTERNAL


def without(content: onnx.ModelProto, key: str, value: str) -> None:
    for entry in content.metadata_props:
        if entry.key in (key, "charset_sha256"):
            entry.value = value
    left = [entry for entry in content.metadata_props if entry.key != "charset_sha256"]
    del content.metadata_props[:]
    content.metadata_props.extend(left)


DAMAGED: dict[str, tuple[Callable[[onnx.ModelProto], object], str]] = {
    "names another file": (external, "its weights are in another file"),
    "unknown operator": (
        lambda content: setattr(content.graph.node[0], "op_type", "Unknown"),
        "onnxruntime cannot open it",
    ),
    "other dictionary": (lambda content: without(content, "character", "A\nB"), "its output has the shape"),
    "double dictionary": (
        lambda content: without(content, "character", "A\nA"),
        r"its output has the shape .*, not .*; export it again",
    ),
    "wrong hash": (
        lambda content: content.metadata_props.add(key="charset_sha256", value="0"),
        "does not match its hash",
    ),
    "other input": (
        lambda content: setattr(
            content.graph.input[0].type.tensor_type, "elem_type", onnx.TensorProto.DOUBLE
        ),
        "onnxruntime cannot",
    ),
}


@pytest.mark.parametrize("damage", DAMAGED)
def test_a_damaged_file_gives_one_line(
    damage: str, exported: Path, crops: list[Path], tmp_path: Path, capfd: Any
) -> None:
    change, said = DAMAGED[damage]
    path = changed(exported, tmp_path / "model.onnx", change)
    with pytest.raises(LinetuneError, match=said) as caught:
        Recogniser.load(path).read(crops)
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 500
    assert capfd.readouterr().err == ""


def test_a_file_that_is_cut_off_gives_one_line(exported: Path, tmp_path: Path) -> None:
    path = tmp_path / "model.onnx"
    path.write_bytes(exported.read_bytes()[:-1000])
    with pytest.raises(LinetuneError, match="not an ONNX file"):
        Recogniser.load(path)


def test_the_fields_of_onnx_files_are_those_that_onnx_has() -> None:
    def name(full: str) -> str:
        short = full.removeprefix("onnx.").replace("Proto", "")
        return "Entry" if short == "StringStringEntry" else short

    waiting, seen = [onnx.ModelProto.DESCRIPTOR], set[str]()
    while waiting:
        message = waiting.pop()
        if message.full_name in seen:
            continue
        seen.add(message.full_name)
        for field in message.fields:
            number = MESSAGES.get(name(message.full_name), {}).get(field.number)
            plain = field.type in (field.TYPE_STRING, field.TYPE_BYTES)
            if field.message_type:
                waiting.append(field.message_type)
                assert number == name(field.message_type.full_name)
            elif number is not None:
                assert number == NUMBERS
                assert not plain
    assert {name(full) for full in seen} >= MESSAGES.keys()


def test_metadata_and_weights_are_those_that_onnx_reads(exported: Path) -> None:
    expected = {entry.key: entry.value for entry in onnx.load(str(exported)).metadata_props}
    assert read_onnx(exported)[1] == expected
