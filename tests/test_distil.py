"""A small network learns from a finished one, on crops with and without labels."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import torch
import torture
from conftest import Cli, Heard

from linetune.config import Config, Stage, load
from linetune.core import image
from linetune.core.charset import Charset
from linetune.core.errors import LinetuneError
from linetune.core.labelfile import read_labels
from linetune.data.dataset import Dataset, load_dataset
from linetune.decode import default_decoder
from linetune.formats.model import Model
from linetune.formats.official import load_base
from linetune.formats.store import load_model, save_model
from linetune.formats.transfer import with_charset
from linetune.models.network import Network
from linetune.training import losses
from linetune.training import run as runs
from linetune.training.batches import ImageBatches
from linetune.training.context import Context
from linetune.training.distil import distilled
from linetune.training.journal import Journal
from linetune.training.losses import NEVER, ctc_loss, stage_loss, teacher_loss
from linetune.training.repeat import run_file
from linetune.training.run import resume
from linetune.training.stage import StageTask, train_stage
from linetune.training.state import Validation
from linetune.training.teacher import Teacher
from linetune.training.unlabelled import believed
from linetune.training.validation import Validator

train = partial(runs.train, export=False)
CPU = torch.device("cpu")
NAMES = [f"AB{n}{7 * n + 10}" if n % 2 else f"C-{n}{5 * n + 10}" for n in range(8)]
ALPHABET = "ABC-0123456789"
READS = "PP-OCRv5_mobile_rec"
"""A model that reads the crops of these tests."""


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    torture.hurry(monkeypatch.setattr)


@pytest.fixture(scope="module")
def charset() -> Charset:
    return Charset.collect([ALPHABET])


@pytest.fixture(scope="module")
def finished(charset: Charset) -> Model:
    return with_charset(load_base(READS), charset).model


@pytest.fixture(scope="module")
def data(
    tmp_path_factory: pytest.TempPathFactory, make_crops: Callable[..., Path], charset: Charset
) -> Dataset:
    return load_dataset(read_labels(make_crops(tmp_path_factory.mktemp("crops"), NAMES)), charset)


@pytest.fixture
def context(tmp_path: Path, charset: Charset, data: Dataset, finished: Model) -> Iterator[Context]:
    with Journal.in_folder(tmp_path) as journal:
        teacher = Teacher(finished, charset)
        yield Context(charset, data, 0, CPU, torch.float32, journal, Heard(), teacher=teacher)


def stage(**changes: Any) -> Stage:
    values = {"name": "one", "data": "train", "steps": 1, "learning_rate": 1e-3, "batch_size": 8}
    return Stage.model_validate(values | changes)


def without_labels(data: Dataset) -> Dataset:
    lines = [replace(line, text="") for line in data.lines]
    return replace(data, lines=lines, labels=[[] for _ in lines])


def beginner(finished: Model) -> Network:
    """A network that reads 1 for 0, 2 for 1, and so on."""
    network = with_charset(finished, finished.charset).model.network
    digits = torch.tensor(finished.charset.encode("0123456789"))
    with torch.no_grad():
        for values in (network.head.fc.weight, network.head.fc.bias):
            values[digits.roll(-1)] = values[digits]
    return network


# The loss


def test_a_student_of_a_good_teacher_learns_to_read_crops_without_labels(
    data: Dataset, finished: Model
) -> None:
    network, decode = beginner(finished), default_decoder(finished.charset)
    given = without_labels(data)
    crops = believed(finished, given, data, finished.charset, False, Heard()).crops
    images = torch.from_numpy(image.pack(data.crops, 320))
    taught = Teacher(finished, finished.charset)(images)
    with torch.no_grad():
        features = network.backbone.eval()(images)
    optimiser = torch.optim.Adam(network.head.parameters(), 0.03)

    def right() -> int:
        with torch.no_grad():
            readings = decode(network.classify(features).softmax(2).numpy())
        return sum(reading.text == text for reading, text in zip(readings, data.texts, strict=True))

    assert right() == 0
    for _ in range(60):
        optimiser.zero_grad()
        loss = stage_loss(network, features, crops.labels, 0, (), taught)
        loss.backward()  # type: ignore[no-untyped-call]
        optimiser.step()
    assert right() == len(data)


def test_a_stage_learns_from_its_teacher_which_stays_as_it_is(
    data: Dataset, context: Context, finished: Model
) -> None:
    crops, settings = without_labels(data), stage()
    before = {name: tensor.clone() for name, tensor in finished.network.state_dict().items()}
    network = beginner(finished)
    train_stage(network, StageTask(settings, 0, crops), context)
    assert not torch.equal(network.head.fc.weight, beginner(finished).head.fc.weight)
    assert all(torch.equal(tensor, before[name]) for name, tensor in finished.network.state_dict().items())
    assert not finished.network.training


def test_labels_and_the_teacher_both_count(charset: Charset) -> None:
    torch.manual_seed(0)

    class Head(torch.nn.Module):
        nrtr = None

        def classify(self, features: torch.Tensor) -> torch.Tensor:
            return features

    logits = torch.randn(3, 12, charset.classes)
    taught = torch.randn(3, 12, charset.classes).log_softmax(2)
    labels = [[1, 2], [], [3]]
    network: Any = Head()
    found = stage_loss(network, logits, labels, 0, (), taught)
    ctc = ctc_loss(logits[[0, 2]], [[1, 2], [3]]) * 2 / 3
    own = logits.log_softmax(2)
    p, q = (each[:, :, 1:].exp() for each in (taught, own))
    p, q = (each ** (1 / losses.TEMPERATURE) for each in (p, q))
    p, q = (each / each.sum(2, keepdim=True) for each in (p, q))
    shown = 1 - taught[:, :, 0].exp()
    apart = losses.TEMPERATURE**2 * (shown * (p * (p / q).log()).sum(2)).sum() / 3
    assert float(found) == pytest.approx(float(ctc + losses.TEACHER_WEIGHT * apart), rel=1e-5)
    # The pieces of a batch add up to the batch.
    pieces = (slice(i, i + 1) for i in range(3))
    parts = [float(stage_loss(network, logits[i], labels[i], 0, (), taught[i])) for i in pieces]
    assert sum(parts) / 3 == pytest.approx(float(found), rel=1e-5)
    assert float(teacher_loss(taught, taught)) == pytest.approx(0, abs=1e-5)


def test_the_classes_of_a_character_count_together() -> None:
    """The teacher has other classes in another order, and the student has one class for each character."""
    torch.manual_seed(0)
    own, run = Charset(("b", "a", "b")), Charset(("a", "b", "a"))
    logits = torch.randn(2, 5, own.classes)

    class Given(torch.nn.Module):
        def forward(self, images: torch.Tensor) -> torch.Tensor:
            return logits

    network: Any = Given()
    taught = Teacher(Model(network, own, "made here", "made here"), run)(torch.zeros(2))
    p = logits.softmax(2)
    expected = torch.stack((p[..., 0], p[..., 2], p[..., 1] + p[..., 3]), 2)
    assert torch.allclose(taught[..., :3].exp(), expected, atol=1e-6)
    assert (taught[..., 3] == NEVER).all()
    same = torch.stack((p[..., 0], p[..., 2] / 4, p[..., 1] + p[..., 3], p[..., 2] * 3 / 4), 2).log()
    assert float(teacher_loss(same, taught, run.alias_classes)) == pytest.approx(0, abs=1e-5)
    same.requires_grad_()
    teacher_loss(same, taught, run.alias_classes).backward()  # type: ignore[no-untyped-call]
    assert same.grad is not None
    assert same.grad.isfinite().all()


def test_a_frozen_backbone_learns_from_labels_alone(data: Dataset, context: Context) -> None:
    frozen, free = stage(freeze="backbone"), stage()
    for settings, taught in ((frozen, False), (free, True)):
        step = next(ImageBatches(data, settings, 0, 0, CPU, context.teacher).epoch(1))
        assert (step.taught() is not None) == taught


def test_crops_with_and_without_a_label_are_not_joined(data: Dataset) -> None:
    mixed = data + without_labels(data)
    settings = stage(augment={"join": 1.0})
    samples = [s for plan in ImageBatches(mixed, settings, 0, 0, CPU).plan(1) for s in plan.samples]
    joined = [sample for sample in samples if len(sample.parts) == 2]
    assert joined
    for sample in joined:
        assert len({part < len(data) for part in sample.parts}) == 1


@pytest.mark.parametrize("both_ways", [False, True])
def test_the_teacher_labels_what_it_reads_for_sure(
    data: Dataset, finished: Model, charset: Charset, both_ways: bool
) -> None:
    upside_down = (np.arange(len(data)) % 3 == 0) & both_ways
    given, heard = without_labels(data).half_turned(upside_down), Heard()
    labelled = believed(finished, given, data, charset, both_ways, heard)
    found = labelled.crops
    assert len(found) == len(data)
    sure = [i for i, label in enumerate(found.labels) if label]
    assert len(sure) >= len(data) / 2
    for i in sure:
        assert found.labels[i] == data.labels[i]
        assert np.array_equal(found.crops[i], data.crops[i])
    assert labelled.sure.labels == [data.labels[i] for i in sure]
    assert 0.9 * len(sure) <= labelled.right <= len(sure)
    none = with_charset(load_base(READS), Charset.collect(["xyz"])).model
    assert believed(none, given, data, none.charset, False, heard).crops.labels == [[]] * len(data)


# A whole run


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory, finished: Model) -> Path:
    """A finished run, ``teacher``, of the model that reads, and crops without labels."""
    folder = tmp_path_factory.mktemp("distil") / "project"
    torture.prepare(folder, middle=False)
    shutil.copytree(folder / "real", folder / "unlabelled" / "new", ignore=shutil.ignore_patterns("*.txt"))
    for number, path in enumerate(sorted((folder / "unlabelled/new").iterdir())):
        crop = image.read(path)
        cv2.circle(crop, (10 + 12 * number, 20), 8, (0, 0, 200), -1)
        image.write(path, crop)
    shutil.copy(folder / "real/0.png", folder / "unlabelled/train.png")
    shutil.copy(folder / "val/0.png", folder / "unlabelled/val.png")
    out = folder / "teacher"
    with pytest.MonkeyPatch.context() as patch:
        torture.hurry(patch.setattr)
        train(load(folder / "linetune.yaml", [f"output={out}", "stages.real.epochs=1"]))
    save_model(replace(finished, base_model="large"), out / "model.safetensors")
    return folder


def student(project: Path, out: Path, *overrides: str) -> Config:
    return distilled(
        project / "teacher", out, str(project / "base.safetensors"), project / "unlabelled", overrides
    )


def interrupt(monkeypatch: pytest.MonkeyPatch, after: int, config: Config) -> None:
    """Start a run that is interrupted after some validations."""
    calls, validate = 0, Validator.__call__

    def stopping(self: Validator, network: Network) -> Validation:
        nonlocal calls
        calls += 1
        if calls > after:
            raise KeyboardInterrupt
        return validate(self, network)

    with monkeypatch.context() as patch:
        patch.setattr(Validator, "__call__", stopping)
        with pytest.raises(KeyboardInterrupt):
            train(config)


def test_an_interrupted_distillation_continues_to_the_same_result(
    project: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, cli: Cli
) -> None:
    heard = Heard()
    result = train(student(project, tmp_path / "whole", "stages.real.epochs=4"), reporter=heard)
    assert "leaves out 2 of 10 unlabelled crops, which have a label or are there twice" in heard.lines
    assert result.teacher is not None
    assert (result.teacher.name, result.teacher.val.exact_match) == ("teacher (large)", 1)
    figures = json.loads((tmp_path / "whole/results.json").read_text("utf-8"))
    assert figures["teacher"]["val"]["exact_match"] == 1
    interrupt(monkeypatch, 6, student(project, tmp_path / "run", "stages.real.epochs=4"))
    resume(tmp_path / "run")
    assert torture.result(tmp_path / "run") == torture.result(tmp_path / "whole")
    record = load_model(tmp_path / "run").provenance
    assert record["data"]["unlabelled"]["lines"] == 8
    assert record["settings"]["teacher"] == {"file": "teacher"}
    described = cli("inspect", tmp_path / "run").out
    assert f"taught by     weights {record['teacher']}" in described
    assert f"# weights of the teacher: {record['teacher']}" in run_file(load_model(tmp_path / "run"))


def test_another_teacher_cannot_continue_a_run(
    project: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, finished: Model
) -> None:
    shutil.copytree(project, tmp_path / "project")
    interrupt(monkeypatch, 0, student(tmp_path / "project", tmp_path / "run"))
    other = replace(finished, network=beginner(finished))
    save_model(other, tmp_path / "project/teacher/model.safetensors")
    with pytest.raises(LinetuneError, match="the teacher has changed since the run began; restore its file"):
        resume(tmp_path / "run")


def test_an_unreadable_crop_without_label_is_refused_or_left_out(project: Path, tmp_path: Path) -> None:
    shutil.copytree(project, tmp_path / "project")
    (tmp_path / "project/unlabelled/broken.png").write_bytes(b"not an image")
    config = student(tmp_path / "project", tmp_path / "run", "stages.real.epochs=1")
    config = config.model_copy(update={"stages": config.stages[1:]})
    with pytest.raises(LinetuneError, match=r"broken\.png"):
        train(config)
    assert train(config, skip_bad=True).skipped == 1


def test_the_command_prints_a_row_for_the_teacher(project: Path, tmp_path: Path, cli: Cli) -> None:
    options = ("--base-model", project / "base.safetensors", "--unlabelled", project / "unlabelled")
    settings = ("stages.head.epochs=1", "stages.real.epochs=1", "stages.real.learning_rate=1e-3")
    ended = cli("distil", project / "teacher", "--output", tmp_path / "run", *options, *settings)
    assert ended.code == 0, ended.err
    assert "teacher (large)" in ended.out
    assert "times as many crops a second as the teacher" in ended.out
    assert (tmp_path / "run/model.onnx").is_file()
    saved = load(tmp_path / "run/config.yaml")
    assert (saved.teacher, saved.data.unlabelled) == (project / "teacher", project / "unlabelled")
    assert [stage.data for stage in saved.stages] == [["synth"], ["train", "unlabelled"]]
    assert [stage.freeze for stage in saved.stages] == [["backbone"], []]


@pytest.mark.parametrize(
    ("prepare", "options", "said"),
    [
        (lambda run: (run / "model.safetensors").unlink(), (), "the run has no finished model yet"),
        (lambda run: (run / "results.json").unlink(), (), "the run has no finished model yet"),
        (lambda run: (run / "config.yaml").unlink(), (), "the folder has no run"),
        (lambda run: None, ("--unlabelled", "{run}/tensorboard"), "no images in this folder"),
        (lambda run: None, ("--unlabelled", "{run}/nowhere"), "no such file or folder"),
        (
            lambda run: None,
            ("--unlabelled", "{run}/stages", "stages.real.freeze=backbone"),
            "unlabelled crops would teach nothing",
        ),
        (lambda run: None, ("--base-model", "{run}/model.safetensors"), "the teacher is the base model"),
        (lambda run: None, ("charset={run}/less.txt",), "the charset of the run lacks '-'"),
        (lambda run: None, ("charset={run}/more.txt",), "the charset of the teacher lacks 'Z'"),
    ],
)
def test_a_mistake_is_one_line(
    project: Path,
    tmp_path: Path,
    cli: Cli,
    prepare: Callable[[Path], None],
    options: tuple[str, ...],
    said: str,
) -> None:
    run = tmp_path / "teacher"
    shutil.copytree(project / "teacher", run)
    (run / "less.txt").write_text("".join(f"{c}\n" for c in ALPHABET if c != "-"), "utf-8")
    (run / "more.txt").write_text("".join(f"{c}\n" for c in ALPHABET + "Z"), "utf-8")
    prepare(run)
    base = () if "--base-model" in options else ("--base-model", project / "base.safetensors")
    ended = cli("distil", run, "--output", tmp_path / "out", *base, *(o.format(run=run) for o in options))
    assert ended.code == 2
    assert len(ended.errors) == 1
    assert said in ended.errors[0]
    assert not (tmp_path / "out/model.safetensors").exists()


@pytest.mark.parametrize(
    ("overrides", "said"),
    [
        (["teacher=x.onnx"], "an ONNX file cannot teach"),
        (["teacher=nowhere/run"], "no such file or folder"),
        (["teacher=teacher", "data.unlabelled=unlabelled"], "no stage has data: unlabelled; add it to one"),
        (["teacher=teacher", "stages.real.data=unlabelled"], "set data.unlabelled to a folder of crops"),
        (["teacher=teacher", "stages.real.freeze=backbone"], "a teacher needs a stage whose backbone trains"),
        (["stages.head.data=unlabelled", "stages.head.trial=null"], "crops without labels teach nothing"),
    ],
)
def test_a_run_file_with_a_mistake_is_one_line(
    project: Path, monkeypatch: pytest.MonkeyPatch, cli: Cli, overrides: list[str], said: str
) -> None:
    monkeypatch.chdir(project)
    ended = cli("train", "linetune.yaml", "output=mistaken", *overrides)
    assert ended.code == 2
    assert len(ended.errors) == 1
    assert said in ended.errors[0]
