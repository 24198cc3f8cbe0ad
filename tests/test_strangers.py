"""Files of strangers do no harm: one line of error, nothing outside the target, and bounded memory."""

from __future__ import annotations

import json
import pickle
import struct
import subprocess
import sys
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import safetensors.numpy
from conftest import Cli
from hostile import (
    CASES,
    GROUP,
    SEGMENTS,
    crop,
    font,
    lmdb_store,
    onnx_file,
    parquet_file,
    program,
    tiff,
)
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from linetune.config.yaml_file import parse
from linetune.core import image, textfile
from linetune.core.charset import Charset
from linetune.core.errors import LinetuneError
from linetune.core.labelfile import read_labels
from linetune.core.untrusted import parse_json
from linetune.data.importers.run import import_crops
from linetune.data.importers.source import Options
from linetune.formats import hf
from linetune.formats.dictionary import read_settings
from linetune.formats.hf_config import to_config
from linetune.formats.onnx_file import read_onnx
from linetune.formats.paddle import read_inference
from linetune.formats.pickled import read_pdparams
from linetune.formats.store import read_tensors
from linetune.models.families.pp_ocr_mobile import PPOCRMobile
from linetune.synth import fonts

MEMORY = 500
"""Most memory of any of these files above that of the idle program, MB."""


def outside(folder: Path) -> set[str]:
    """The files beside the target."""
    return {str(path) for path in folder.rglob("*") if "target" not in path.relative_to(folder).parts}


RUN = """
import contextlib, io, json, resource, sys
import cv2, lxml.etree, onnx, onnxruntime, pyarrow.parquet, torch
import linetune.data.importers.run, linetune.formats.official, linetune.recogniser, linetune.training.run
from linetune.cli import main

def peak():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024

idle, answers, figures = peak(), {}, {}
for name, arguments in json.load(sys.stdin).items():
    sys.argv = ["linetune", *arguments]
    before = peak()
    with contextlib.redirect_stderr(io.StringIO()) as err, contextlib.redirect_stdout(io.StringIO()):
        try:
            main()
        except SystemExit as ended:
            answers[name] = ended.code, err.getvalue()
    figures[name] = round(peak() - before)
print(json.dumps([round(peak() - idle), answers, {n: f for n, f in figures.items() if f > 20}]))
"""


@dataclass
class Answers:
    """What a program says to all files of strangers, one after the other."""

    said: dict[str, tuple[int, str]]
    """Exit code and messages for each file."""
    written: dict[str, set[str]]
    """New files beside the target for each file."""
    above: int
    """Its peak of memory above that of the idle program, MB."""
    figures: dict[str, int]
    """The files that raised the peak by more than 20 MB, and by how much."""


@pytest.fixture(scope="module")
def answers(tmp_path_factory: pytest.TempPathFactory) -> Answers:
    commands, before = {}, {}
    places = {name: tmp_path_factory.mktemp(name) for name in CASES}
    for name, place in places.items():
        folder = place / "a" / "b"
        folder.mkdir(parents=True)
        commands[name] = [str(argument) for argument in CASES[name](folder)]
        before[name] = outside(place)
    # A process inherits the peak of the one that starts it, which is a small shell here.
    shell = ("sh", "-c", '"$0" -c "$1"; exit $?', sys.executable, RUN)
    ended = subprocess.run(shell, input=json.dumps(commands), capture_output=True, text=True, check=False)
    assert ended.returncode == 0, ended.stderr
    above, said, figures = json.loads(ended.stdout.splitlines()[-1])
    written = {name: outside(place) - before[name] for name, place in places.items()}
    return Answers(said, written, above, figures)


@pytest.mark.parametrize("name", CASES)
def test_a_strangers_file_is_one_line_of_error(answers: Answers, name: str) -> None:
    code, err = answers.said[name]
    errors = [line for line in err.splitlines() if line.startswith("error:")]
    assert code == 2, err
    assert len(errors) == 1, err
    assert len(errors[0]) < 2000
    assert "Traceback" not in err
    assert not answers.written[name]


def test_strangers_files_take_little_memory(answers: Answers) -> None:
    assert answers.above < MEMORY, answers.figures


@pytest.mark.parametrize(
    "tables",
    [
        {"cmap": GROUP},
        {"cmap": SEGMENTS},
        {"glyf": b"\xff" * 500},
        {"head": bytes(54)},
        {"post": b"\0\2\0\0"},
    ],
)
def test_a_damaged_font_is_one_error(tmp_path: Path, tables: dict[str, bytes]) -> None:
    path = tmp_path / "a.ttf"
    path.write_bytes(font(tables))
    with suppress(LinetuneError):  # FreeType draws some damaged fonts
        fonts.load([path], "AB1")


@pytest.mark.parametrize("content", [b"", b"wOFF" + bytes(100), b"OTTO\xff\xff" + bytes(50)])
def test_a_file_that_is_no_font_is_one_error(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "a.ttf").write_bytes(content)
    with pytest.raises(LinetuneError, match="cannot be opened as a font"):
        fonts.load([tmp_path / "a.ttf"], "AB1")


def test_a_photo_of_usual_size_is_read() -> None:
    with pytest.raises(LinetuneError, match="not an image that can be decoded"):
        image.decode(np.frombuffer(tiff(9000, 7000), np.uint8), "a.tif")
    assert image.decode(np.frombuffer(crop(), np.uint8), "a.png").shape == (40, 120, 3)


def test_a_device_that_never_ends_is_refused() -> None:
    for read in (image.read, Charset.read):
        with pytest.raises(LinetuneError, match="too large"):
            read(Path("/dev/zero"))


def imported(form: str, name: str) -> Callable[[Path, bytes], object]:
    """Import a file of a format. The target is new each time."""

    def read(folder: Path, content: bytes) -> object:
        source = folder / name
        source.write_bytes(content)
        (folder / "a.png").write_bytes(crop())
        return import_crops(source, folder / "target", Options(form=form), overwrite=True)

    return read


def of_file(name: str, function: Callable[[Path], object]) -> Callable[[Path, bytes], object]:
    def read(folder: Path, content: bytes) -> object:
        (folder / name).write_bytes(content)
        return function(folder / name)

    return read


NUMBERS = count()


def of_font(folder: Path, content: bytes) -> object:
    # FreeType maps an open font into memory, so that each one is a file of its own.
    path = folder / f"{next(NUMBERS)}.ttf"
    path.write_bytes(content)
    return fonts.load([path], "A1")


def read_parameters(path: Path) -> object:
    (path.parent / "inference.json").write_text(json.dumps(program("a")), "utf-8")
    return read_inference(path.parent)


ARRAY = np.arange(6, dtype=np.float32).reshape(2, 3)
BOX = '{"transcription": "A1", "points": [[1, 1], [90, 1], [90, 30], [1, 30]]}'
PAGE = (
    '<PcGts><Page imageFilename="a.png" imageWidth="120" imageHeight="40"><TextLine id="l">'
    '<Coords points="1,1 90,1 90,30 1,30"/><TextEquiv><Unicode>A1</Unicode></TextEquiv>'
    "</TextLine></Page></PcGts>"
)
TASK = (
    '[{"id": 1, "data": {"image": "a.png"}, "annotations": [{"result": [{"id": "r", "from_name": "t", '
    '"original_width": 120, "original_height": 40, "value": {"x": 1, "y": 1, "width": 50, "height": 50, '
    '"rotation": 0, "text": ["A1"]}}]}]}]'
)
COCO = (
    '{"images": [{"id": 1, "file_name": "a.png"}], "annotations": [{"id": 1, "image_id": 1, '
    '"bbox": [1, 1, 90, 30], "text": "A1"}]}'
)
READERS: dict[str, tuple[Callable[[Path, bytes], object], bytes]] = {
    "image": (lambda folder, content: image.to_crop(content, "a") if content else None, crop()),
    "labels": (of_file("labels.txt", lambda path: read_labels(path)), "a.png\tÄ1\nb.png\t京\n".encode()),
    "charset": (of_file("charset.txt", Charset.read), "a\nb\n京\n".encode()),
    "encoding": (lambda folder, content: textfile.decode(content, "a"), "京东 1\n".encode("gbk")),
    "json": (lambda folder, content: parse_json(content, "a"), b'{"a": [1, {"b": null}]}'),
    "yaml": (
        lambda folder, content: parse(content.decode("latin1"), folder / "a.yaml"),
        b"a: &a {b: [1, 2.5]}\nc: *a\nd: !!set {x}\n",
    ),
    "inference.yml": (
        of_file("inference.yml", lambda path: read_settings(path.parent)),
        b"Global: {model_name: x}\nPostProcess:\n  character_dict: ['a', 'b']\n",
    ),
    "pdparams": (of_file("a.pdparams", read_pdparams), pickle.dumps({"a": ARRAY, "b": ("c", ARRAY)}, 2)),
    "safetensors": (of_file("a.safetensors", read_tensors), safetensors.numpy.save({"a": ARRAY})),
    "onnx": (of_file("a.onnx", read_onnx), onnx_file()),
    "pdiparams": (
        of_file("inference.pdiparams", read_parameters),
        struct.pack("<IQIi", 0, 0, 0, 6) + b"\x08\5\x10\2\x10\3" + ARRAY.tobytes(),
    ),
    "config.json": (
        of_file("config.json", lambda path: hf.load(path.parent)),
        json.dumps(to_config(PPOCRMobile(), 6)).encode(),
    ),
    "lmdb": (imported("lmdb", "data.mdb"), lmdb_store()),
    "parquet": (imported("parquet", "a.parquet"), parquet_file()),
    "font": (of_font, font({})),
    "csv": (imported("csv", "a.csv"), b'file,text\na.png,"A,1"\n'),
    "jsonl": (imported("jsonl", "a.jsonl"), b'{"file_name": "a.png", "text": "A1"}\n'),
    "ppocrlabel": (imported("ppocrlabel", "Label.txt"), f"a.png\t[{BOX}]\n".encode()),
    "page_xml": (imported("page_xml", "a.xml"), PAGE.encode()),
    "label_studio": (imported("label_studio", "a.json"), TASK.encode()),
    "coco_text": (imported("coco_text", "a.json"), COCO.encode()),
    "doctr": (imported("doctr", "a.json"), b'{"a.png": "A1"}'),
}
"""For each reader: what reads a content in a folder, and a valid content."""


@st.composite
def mutated(draw: Any, valid: bytes) -> bytes:
    """Valid content with some bytes replaced, inserted or removed; now and then, any bytes."""
    if draw(st.integers(0, 4)) == 0:
        return bytes(draw(st.binary(max_size=200)))
    content = bytearray(valid)
    for _ in range(draw(st.integers(1, 4))):
        start = draw(st.integers(0, max(0, min(len(content), 400) - 1)))
        length = draw(st.sampled_from((0, 1, 1, 2, 8, 60)))
        content[start : start + length] = draw(st.binary(max_size=6))
    return bytes(content)


@pytest.mark.parametrize("name", READERS)
def test_any_content_gives_a_result_or_an_error(tmp_path_factory: pytest.TempPathFactory, name: str) -> None:
    read, valid = READERS[name]
    folder = tmp_path_factory.mktemp("any")
    with suppress(LinetuneError):  # a configuration alone is not a model
        read(folder, valid)

    @settings(max_examples=40, deadline=None, database=None, suppress_health_check=list(HealthCheck))
    @given(mutated(valid))
    @pytest.mark.filterwarnings("ignore")
    def holds(content: bytes) -> None:
        with suppress(LinetuneError):
            read(folder, content)

    holds()


def test_parquet_whose_statistics_contradict_themselves_is_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, cli: Cli
) -> None:
    import pyarrow.parquet

    def contradict(_: Path) -> None:
        raise RuntimeError("Definition level histogram size mismatch, size: 2, expected: 1")

    (tmp_path / "a.parquet").write_bytes(parquet_file())
    monkeypatch.setattr(pyarrow.parquet, "ParquetFile", contradict)
    refused = cli("import", tmp_path / "a.parquet", "--to", tmp_path / "target")
    assert refused.code == 2
    assert len(refused.errors) == 1
    assert "not a Parquet file (Definition level histogram size mismatch" in refused.errors[0]
