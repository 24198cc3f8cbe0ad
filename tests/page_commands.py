"""Commands and Python code of the pages: they run in order, in a folder with all that the pages name.

`make pages` runs them. The tutorial has a test of its own. The Chinese pages have the commands of the English
ones.
"""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Iterator, Sequence
from importlib import resources
from importlib.util import find_spec
from itertools import pairwise
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import torture
from conftest import Cli
from markdown_pages import blocks, commands
from test_from_paddle import STAGE

from linetune.config import load
from linetune.core import image
from linetune.core.charset import Charset
from linetune.core.labelfile import read_labels, write_labels
from linetune.formats.model import Model
from linetune.formats.store import save_model
from linetune.models.architecture import Architecture
from linetune.models.families import OFFICIAL
from linetune.models.families.pp_ocr_mobile import PPOCRMobile
from linetune.models.layers.reparam import fold
from linetune.models.network import Network
from linetune.recogniser import Recogniser
from linetune.training.run import train

ROOT = Path(__file__).parents[1]
RUN = """\
output: {mine}runs/first
base_model: {root}base.safetensors
device: cpu
precision: fp32
data: {{train: {mine}crops/train.txt, val: {mine}crops/val.txt, test: {mine}crops/test.txt}}
synth: {{rule: '(AB|C-)[0-9]{{3}}', fonts: {root}fonts, count: 8, output: {mine}synth}}
stages:
  - {{name: head, data: synth, freeze: backbone, steps: 1, learning_rate: 1e-3, batch_size: 4}}
  - {{name: real, data: train, steps: 1, learning_rate: 1e-3, batch_size: 4}}
"""
TEXTS = [f"{'AB' if n % 2 else 'C-'}{137 * n % 900 + 100}" for n in range(72)]
SPLITS = [("train", 0, 12), ("val", 12, 20), ("test", 32, 4)]
"""Name, first crop and number of crops."""
LABELLED = 36
"""Crops that have a label. The others of ``TEXTS`` are for the folder ``crops``."""
ELSEWHERE = {
    "push": "it needs a server: test_push.py",
    "--resume": "it needs an interrupted run: test_resume.py",
    "--unlabelled": "a review of such crops waits for a person; distil: test_distil.py",
    "paddle": "it needs PaddlePaddle: test_export_paddle.py",
    "paddle_inference": "PaddlePaddle writes such a folder: test_export_paddle.py",
}
"""Words of commands that other tests run, and why."""
REFUSED = {"threshold": "needed even if all are right", "drift": "the model has no promise"}
"""Commands that a model without training can only refuse, and what they say."""
WRITTEN = ("--output", "-o", "--preview", "--errors", "--to")
"""Options that name what a command writes."""
PAGES = sorted(
    page
    for page in (ROOT / "README.md", *(ROOT / "docs").rglob("*.md"))
    if not page.name.endswith(".zh.md") and page.name not in ("tutorial.md", "log.md")
    if any(words[0] == "linetune" for words in commands(page))
)


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """All that the pages name: crops and label files, photos with boxes, a rule, fonts, two trainings with
    PaddleOCR and two runs. It is to be copied to the folder beside it, because runs name their crops."""
    folder = tmp_path_factory.mktemp("pages") / "here"
    for crops, first in ("crops", LABELLED), ("mine/crops", 0), ("mine/labels", 0):
        write_crops(folder / crops / "all.txt", first, LABELLED)
        for split, start, count in SPLITS:
            write_crops(folder / crops / f"{split}.txt", first + start, count)
    for name in ("LABELS", "NEW_LABELS", "labels.txt"):
        write_crops(folder / name, 0, LABELLED)
    write_crops(folder / "lines.txt", 0, LABELLED, "{}_upper.png")
    for name in ("today", "folder"):
        shutil.copytree(folder / "crops/images", folder / name)
    for name in ("crop.png", "a.png", "b.png", "plate.jpg", "photo.jpg"):
        image.write(folder / name, drawn(TEXTS[0]))
    (folder / "parts.txt").write_text("\n".join(TEXTS), "utf-8")
    (folder / "rule.yaml").write_text("rule: '(AB|C-)[0-9]{3}'\n", "utf-8")
    (folder / "fonts").mkdir()
    shutil.copy(Path(str(resources.files("font_roboto"))) / "files/Roboto-Bold.ttf", folder / "fonts")
    write_photos(folder)
    write_paddleocr(folder)
    write_base(folder / "base.safetensors", OFFICIAL["PP-OCRv6_tiny_rec"].architecture)
    write_base(folder / "small.safetensors", PPOCRMobile(scale=0.35))
    (folder / "linetune.yaml").write_text(RUN.format(mine="mine/", root=""), "utf-8")
    (folder / "mine/linetune.yaml").write_text(RUN.format(mine="", root="../"), "utf-8")
    with pytest.MonkeyPatch.context() as patch:
        torture.hurry(patch.setattr)
        train(load(folder / "mine/linetune.yaml"))
        shutil.copytree(folder / "mine/runs/first", folder / "runs/mine")
        shutil.copy(folder / "mine/runs/first/model.onnx", folder)
        labels = f"data.train=[{folder}/mine/labels/train.txt,{folder}/crops/train.txt]"
        more = load(folder / "mine/linetune.yaml", [f"output={folder}/mine/runs/second", labels])
        train(more, export=False)
        yield folder.rename(folder.with_name("world"))


def write_crops(path: Path, start: int, count: int, name: str = "{}_crop_0.png") -> None:
    """Write a label file with some of the crops, which are beside it."""
    (path.parent / "images").mkdir(parents=True, exist_ok=True)
    rows = [(f"images/{name.format(number)}", TEXTS[number]) for number in range(start, start + count)]
    for file, text in rows:
        image.write(path.parent / file, drawn(text))
    write_labels(path, rows)


def drawn(text: str) -> image.Crop:
    crop = np.random.default_rng(TEXTS.index(text)).integers(200, 236, (40, 112, 3), np.uint8)
    cv2.putText(crop, text, (6, 30), cv2.FONT_HERSHEY_SIMPLEX, 1, (30, 30, 30), 2, cv2.LINE_AA)
    return crop


def write_photos(folder: Path) -> None:
    """Write photos of six texts, one below the other, and their boxes as PPOCRLabel writes them."""
    rows = []
    for first in range(0, LABELLED, 6):
        texts = TEXTS[first : first + 6]
        image.write(folder / f"photo{first}.png", np.vstack([drawn(text) for text in texts]))
        corners = [(0, 0), (112, 0), (112, 40), (0, 40)]
        boxes = [
            {"transcription": text, "points": [[x, y + 40 * row] for x, y in corners]}
            for row, text in enumerate(texts)
        ]
        rows.append(f"photo{first}.png\t{json.dumps(boxes)}\n")
    (folder / "Label.txt").write_text("".join(rows), "utf-8")


def write_paddleocr(folder: Path) -> None:
    """Write two configurations of PaddleOCR, the data that they name, and a label file beside its images."""
    for name in ("stage1.yml", "stage2.yml"):
        (folder / name).write_text(STAGE, "utf-8")
    write_crops(folder / "PaddleOCR/crops/rendered.txt", 0, 12)
    write_crops(folder / "PaddleOCR/crops/val.txt", 12, 6)
    (folder / "PaddleOCR/dicts").mkdir()
    (folder / "PaddleOCR/dicts/chars.txt").write_text("\n".join("ABC-0123456789"), "utf-8")
    write_crops(folder / "train_data/train.txt", 0, LABELLED)
    (folder / "train_data/train.txt").rename(folder / "train.txt")


def write_base(path: Path, architecture: Architecture) -> None:
    charset = Charset.collect(TEXTS)
    network = fold(Network(architecture, charset.classes)).eval()
    save_model(Model(network, charset, "PP-OCRv6_tiny_rec", "made here"), path)


@pytest.fixture(scope="module")
def ran() -> list[list[str]]:
    """The commands that have run. Several pages have the same."""
    return []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_the_commands_of_a_page_run(
    page: Path, world: Path, ran: list[list[str]], cli: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    here = world.with_name("here")
    shutil.rmtree(here, ignore_errors=True)
    shutil.copytree(world, here)
    monkeypatch.chdir(here)
    for program, *words in commands(page):
        if program != "linetune" or ELSEWHERE.keys() & {*words} or words in ran:
            continue
        ran.append([*words])
        name, *arguments = words
        if "-n" in arguments:
            arguments[arguments.index("-n") + 1] = "9"
        if name == "review":
            label(Path(arguments[0]))
            continue
        if "--within" in arguments:  # one step takes less than any time limit: test_plan.py
            place = arguments.index("--within")
            del arguments[place : place + 2]
        make_room(name, arguments)
        done = cli(name, *arguments, *shortened(name, arguments))
        if name in REFUSED:
            assert (done.code, REFUSED[name] in done.err) == (2, True), (words, done.err)
            continue
        assert done.code == 0, (words, done.err)
        assert all(path.exists() for path in written(arguments)), words
        if name in ("init", "split", "import"):  # go on with the short run file and the crops of the runs
            assert Path("mine/linetune.yaml").is_file()
            shutil.copytree(world / "mine", "mine", dirs_exist_ok=True)

    for code in blocks(page, "python"):
        run_python(code)


def run_python(code: str) -> None:
    """Run code, if the programs that it imports are installed. What it calls ``read`` reads as linetune."""
    if not all(find_spec(name) for name in re.findall(r"^(?:import|from) (\w+)", code, re.MULTILINE)):
        return
    if "linetune.train(" in code:
        shutil.rmtree("mine/runs/first")
    names: dict[str, Any] = {"__name__": "__main__"}
    exec(compile(code, "page", "exec"), names)
    if "read" in names:
        crop = image.read(Path("crop.png"))
        (reading,) = Recogniser.load("mine/runs/first").read([crop])
        assert names["read"](crop) == reading.text != ""


def label(path: Path) -> None:
    """Do what a person does in a review: give each crop its label."""
    if path.name == "Label.txt":  # photos
        return
    lines = read_labels(path, unlabelled=True)
    rows = [(line.image.resolve().as_posix(), TEXTS[int(line.image.name.split("_")[0])]) for line in lines]
    path.with_suffix(".review").mkdir(exist_ok=True)
    write_labels(path.with_suffix(".review") / "labels.txt", rows)


def make_room(name: str, arguments: Sequence[str]) -> None:
    """Remove what a command writes, which a reader does not have yet."""
    old = written(arguments)
    match name:
        case "init":
            old = [Path("mine", name) for name in ("linetune.yaml", "labels", "runs", "fonts")]
        case "train":
            old = [load(Path(arguments[0]), arguments[1:]).output]
        case "split":
            old = [folder / f"{split}.txt" for folder in old for split, *_ in SPLITS]
    for path in old:
        if path.is_dir():
            shutil.rmtree(path)
        path.unlink(missing_ok=True)


def written(arguments: Sequence[str]) -> list[Path]:
    """What options say that a command writes."""
    return [Path(path) for option, path in pairwise(arguments) if option in WRITTEN]


def shortened(name: str, arguments: Sequence[str]) -> list[str]:
    """Further arguments that make a command quick."""
    match name, arguments:
        case "init", [*_, "--from", _]:
            return ["--fonts", "fonts"]
        case "distil", _:
            return ["--base-model", "small.safetensors"]
        case "train", ["linetune.yaml"] if "stage1" in Path("linetune.yaml").read_text("utf-8"):
            quick = "base_model=base.safetensors device=cpu precision=fp32"
            return [*quick.split(), "stages.stage1.epochs=1", "stages.stage2.epochs=1"]
    return []
