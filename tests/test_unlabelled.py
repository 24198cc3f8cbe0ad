"""Crops without labels: the model so far labels those that it is sure of, and a stage learns from them."""

from __future__ import annotations

import json
import shutil
from collections.abc import Sequence
from functools import partial
from pathlib import Path

import cv2
import numpy as np
import pytest
import torture
from conftest import Cli, Heard

from linetune.config import Config, load
from linetune.core import image
from linetune.core.charset import Charset
from linetune.core.errors import LinetuneError
from linetune.core.labelfile import read_labels, write_labels
from linetune.data.dataset import load_dataset
from linetune.formats.official import load_base
from linetune.formats.store import save_model
from linetune.formats.transfer import with_charset
from linetune.training import run as runs
from linetune.training.result import RunResult
from linetune.training.run import resume
from linetune.training.state import Validation
from linetune.training.unlabelled import believed
from linetune.training.validation import Validator

train = partial(runs.train, export=False)
READS = "PP-OCRv5_mobile_rec"
"""A model that reads the crops of these tests."""
SETTINGS = ("base_model=reads.safetensors", "stages.real.epochs=2", "stages.real.patience=null")


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    torture.hurry(monkeypatch.setattr)


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of one stage from a model that reads its crops, and the folder ``photos`` with crops to read,
    to leave out and to mistrust."""
    folder = tmp_path_factory.mktemp("unlabelled") / "project"
    torture.prepare(folder, middle=False)
    text = (folder / "linetune.yaml").read_text("utf-8")
    kept = [line for line in text.splitlines() if "name: head" not in line and not line.startswith("synth")]
    (folder / "linetune.yaml").write_text("\n".join(kept), "utf-8")
    reads = with_charset(load_base(READS), Charset.collect(["ABC-0123456789"])).model
    save_model(reads, folder / "reads.safetensors")
    photos = folder / "photos"
    photos.mkdir()
    for number, path in enumerate(sorted((folder / "real").glob("*.png"))):
        crop = image.read(path)
        cv2.line(crop, (12 * number + 4, 2), (12 * number + 4, 38), (90, 90, 90), 1)
        image.write(photos / f"new-{number}.png", crop)
    shutil.copy(folder / "real/1.png", photos / "labelled.png")
    shutil.copy(folder / "val/0.png", photos / "held-out.png")
    crop = image.read(folder / "val/1.png")
    image.write(photos / "nearly-held-out.png", crop // 2 + 100)
    blank = image.read(folder / "val/2.png")
    blank[:] = blank.mean()
    image.write(photos / "blank.png", blank)
    return folder


def configured(project: Path, out: Path, *overrides: str) -> Config:
    settings = [each.replace("=reads", f"={project}/reads") for each in SETTINGS]
    data = f"data.unlabelled={project / 'photos'}"
    return load(project / "linetune.yaml", [f"output={out}", data, *settings, *overrides])


@pytest.fixture(scope="module")
def whole(project: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[RunResult, list[str]]:
    """The run without an interruption, and what it says."""
    heard = Heard()
    with pytest.MonkeyPatch.context() as patch:
        torture.hurry(patch.setattr)
        result = train(configured(project, tmp_path_factory.mktemp("whole") / "run"), reporter=heard)
    return result, heard.lines


def test_one_setting_adds_a_last_stage_on_what_the_model_reads_for_sure(
    project: Path, whole: tuple[RunResult, list[str]]
) -> None:
    result, lines = whole
    config = configured(project, result.folder)
    assert [(stage.name, stage.data) for stage in config.stages] == [
        ("real", ["train"]),
        ("unlabelled", ["train", "unlabelled"]),
    ]
    assert config.stages[1].augment == config.stages[0].augment
    assert "leaves out 3 of 12 unlabelled crops, which have a label or are there twice" in lines
    (said,) = (line for line in lines if "the model is sure of" in line)
    stage = result.self_training["stage unlabelled"]
    assert said.startswith(f"stage unlabelled: the model is sure of {stage.sure} of 9 unlabelled crops")
    assert f"{stage.right:.0f} of these labels are right" in said
    assert 4 <= stage.sure <= 8, "the blank crop is none of them"
    assert 0.9 * stage.sure <= stage.right <= stage.sure
    assert [row.name for row in result.rows[2:]] == ["stage real", "stage unlabelled"]
    figures = json.loads((result.folder / "results.json").read_text("utf-8"))["self_training"]
    assert figures["stage unlabelled"]["crops"] == 9
    assert figures["stage unlabelled"]["gain"]["val"]["lines"] == 4
    saved = load(result.folder / "config.yaml")
    assert [stage.name for stage in saved.stages] == ["real", "unlabelled"], "a saved run says it all"


def test_a_model_doubts_crops_unlike_the_validation_crops(project: Path) -> None:
    model = load_base(str(project / "reads.safetensors"))
    val = load_dataset(read_labels(project / "val/labels.txt"), None)
    faint = load_dataset(val.lines, None, crops=[crop // 32 + 100 for crop in val.crops])
    for crops, expected in ((val, False), (faint, True)):
        assert believed(model, crops, val, model.charset, False, Heard()).unlike == expected


def test_an_interrupted_stage_on_unlabelled_crops_continues_to_the_same_result(
    project: Path,
    whole: tuple[RunResult, list[str]],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    calls, validate = 0, Validator.__call__

    def stopping(self: Validator, network: object) -> Validation:
        nonlocal calls
        calls += 1
        if calls == 7:
            raise KeyboardInterrupt
        return validate(self, network)  # type: ignore[arg-type]

    with monkeypatch.context() as patch:
        patch.setattr(Validator, "__call__", stopping)
        with pytest.raises(KeyboardInterrupt):
            train(configured(project, tmp_path / "run"))
    heard = Heard()
    resume(tmp_path / "run", reporter=heard)
    assert any("in stage unlabelled" in line for line in heard.lines)
    assert torture.result(tmp_path / "run") == torture.result(whole[0].folder)


def test_a_model_that_is_sure_of_nothing_does_not_teach_itself(project: Path, tmp_path: Path) -> None:
    heard, base = Heard(), f"base_model={project / 'base.safetensors'}"
    result = train(configured(project, tmp_path / "run", base), reporter=heard)
    said = "stage unlabelled: skipped, because unlabelled crops would teach nothing"
    assert said in heard.lines
    assert [row.name for row in result.rows[2:]] == ["stage real"]
    assert not result.self_training


def test_the_command_says_what_the_unlabelled_crops_gave(
    project: Path, tmp_path: Path, cli: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    torture.hurry(monkeypatch.setattr)
    config = configured(project, tmp_path / "run")
    settings = [f"data.unlabelled={project / 'photos'}", f"base_model={project / 'reads.safetensors'}"]
    ended = cli(
        "train", project / "linetune.yaml", f"output={tmp_path / 'run'}", *settings, *SETTINGS[1:], "-q"
    )
    assert ended.code == 0, ended.err
    assert config.stages[-1].name in ended.out
    assert "unlabelled crops; by its confidence," in ended.out
    assert (
        "stage unlabelled is not the kept model: the unlabelled crops did not help on validation" in ended.out
    )


def test_a_list_of_crops_takes_the_place_of_a_folder_and_unusable_ones_are_left_out(
    project: Path, tmp_path: Path
) -> None:
    image.write(tmp_path / "street.png", np.full((480, 640, 3), 200, np.uint8))
    paths = [*(f"{project}/photos/new-{n}.png" for n in range(4)), str(tmp_path / "street.png")]
    write_labels(tmp_path / "list.txt", ((path, "") for path in paths))
    write_labels(tmp_path / "unusable.txt", [(f"{project}/photos/new-2.png", "")])
    lines = read_labels(project / "real/labels.txt")
    write_labels(tmp_path / "labels.txt", ((str(line.image), line.text) for line in lines))
    files = [
        f"data.{key}={tmp_path / name}.txt" for key, name in (("unlabelled", "list"), ("train", "labels"))
    ]
    quicker = ("stages.real.epochs=1", "stages.real.learning_rate=1e-5")
    config, heard = configured(project, tmp_path / "run", *files, *quicker), Heard()
    assert train(config, reporter=heard).self_training["stage unlabelled"].crops == 4
    assert "leaves out 1 of 5 unlabelled crops, which a review called unusable" in heard.lines
    assert any("warning: 1 of 4 images look like whole photos" in line for line in heard.lines)


@pytest.mark.parametrize(
    ("rows", "overrides", "said"),
    [
        (["{photos}/new-0.png\tAB17"], (), "list.txt:1: a label, 'AB17', where there should be none"),
        (["{photos}/new-0.png"], (), "list.txt:1: no tab"),
        (["{photos}/nowhere.png\t"], (), "nowhere.png"),
        (["{photos}/held-out.png\t"], (), "every unlabelled crop has a label"),
        ([], (), "list.txt"),
        (None, (), "no such file or folder"),
        (None, ("stages.real.freeze=backbone",), "no stage trains its backbone on training crops"),
    ],
)
def test_a_mistake_is_one_line(
    project: Path, tmp_path: Path, cli: Cli, rows: list[str] | None, overrides: Sequence[str], said: str
) -> None:
    if rows is not None:
        text = "".join(f"{row}\n" for row in rows).replace("{photos}", str(project / "photos"))
        (tmp_path / "list.txt").write_text(text, "utf-8")
    settings = [f"output={tmp_path / 'run'}", f"data.unlabelled={tmp_path / 'list.txt'}", *overrides]
    ended = cli("train", project / "linetune.yaml", *settings)
    assert ended.code == 2
    assert len(ended.errors) == 1
    assert said in ended.errors[0]


def test_a_stage_that_names_them_is_taken_as_it_is(project: Path, tmp_path: Path) -> None:
    config = configured(project, tmp_path / "run", "stages.real.data=[train, unlabelled]")
    assert [stage.name for stage in config.stages] == ["real"]
    with pytest.raises(LinetuneError, match=r"set data\.unlabelled"):
        load(project / "linetune.yaml", ["stages.real.data=unlabelled"])
