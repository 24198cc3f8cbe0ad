from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial, reduce
from importlib import resources
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from conftest import Heard
from torch import Tensor, nn

from linetune.cli import main
from linetune.cli.train import train as train_command
from linetune.config import Config, Stage, load, save
from linetune.core import cache, image, labelfile
from linetune.core.charset import AliasClasses, Charset
from linetune.core.errors import Interrupted, LinetuneError
from linetune.core.labelfile import read_labels
from linetune.data.dataset import Dataset, load_dataset
from linetune.evaluation import calibration
from linetune.evaluation.metrics import Score
from linetune.formats.model import Model
from linetune.formats.official import load_base
from linetune.formats.store import load_model, save_model
from linetune.formats.transfer import with_charset
from linetune.models.families.pp_ocr_mobile import PPOCRMobile
from linetune.models.layers.reparam import fold
from linetune.models.network import Network
from linetune.recogniser import Recogniser
from linetune.training import chain as chains
from linetune.training import estimate as estimates
from linetune.training import losses, validation
from linetune.training import run as runs
from linetune.training.batches import ImageBatches
from linetune.training.context import Context
from linetune.training.features import HeldOutFeatures
from linetune.training.journal import Journal
from linetune.training.loop import Keeper
from linetune.training.losses import ctc_loss
from linetune.training.run import train as train_and_export
from linetune.training.schedule import rate_at, validated_epochs
from linetune.training.stage import StageResult, StageTask, train_stage
from linetune.training.state import Validation
from linetune.training.validation import Validator

train = partial(train_and_export, export=False)  # faster
ROBOTO = Path(str(resources.files("font_roboto"))) / "files" / "Roboto-Bold.ttf"
NAME = "PP-OCRv5_mobile_rec"
CODES = [f"{a}{b}{(a + 3) * (b + 7) % 90 + 10}" for a in range(6) for b in range(4)]
NAMES = [f"AB{code}" if i % 2 else f"C-{code}" for i, code in enumerate(CODES)]


# One stage on a small network


@pytest.fixture(scope="module")
def charset() -> Charset:
    return Charset.collect(NAMES)


@pytest.fixture(scope="module")
def data(
    tmp_path_factory: pytest.TempPathFactory, make_crops: Callable[..., Path], charset: Charset
) -> Dataset:
    labels = make_crops(tmp_path_factory.mktemp("crops"), NAMES[:8])
    return load_dataset(read_labels(labels), charset)


@pytest.fixture
def context(tmp_path: Path, charset: Charset, data: Dataset) -> Iterator[Context]:
    with Journal.in_folder(tmp_path) as journal:
        yield Context(charset, data, 0, torch.device("cpu"), torch.float32, journal, Heard())


def network(charset: Charset, folded: bool = True) -> Network:
    torch.manual_seed(0)
    net = Network(PPOCRMobile(scale=0.35), charset.classes)
    for module in net.modules():
        if isinstance(module, torch.nn.BatchNorm2d) and module.running_var is not None:
            module.running_var.uniform_(0.3, 1)
    return fold(net) if folded else net


def stage(**changes: Any) -> Stage:
    values = {"name": "one", "data": "train", "epochs": 2, "learning_rate": 1e-3, "batch_size": 4}
    return Stage.model_validate(values | changes)


def state(net: Network) -> dict[str, Tensor]:
    return {name: tensor.clone() for name, tensor in net.state_dict().items()}


def differing(before: dict[str, Tensor], after: dict[str, Tensor]) -> set[str]:
    return {name for name in before if not torch.equal(before[name], after[name])}


@pytest.mark.parametrize("folded", [True, False])
@pytest.mark.parametrize("frozen", [["backbone"], ["backbone", "neck"]])
def test_frozen_parts_stay_bit_identical(
    data: Dataset, context: Context, charset: Charset, folded: bool, frozen: list[str]
) -> None:
    net = network(charset, folded)
    before = state(net)
    train_stage(net, StageTask(stage(freeze=frozen, augment="standard"), 0, data), context)
    changed = differing(before, state(net))
    assert not {name for name in changed if name.startswith(tuple(frozen))}
    assert {"head.fc.weight", "head.fc.bias"} <= changed
    assert any(name.startswith("neck.") for name in changed) == ("neck" not in frozen)


def test_what_is_not_frozen_trains(data: Dataset, context: Context, charset: Charset) -> None:
    net = network(charset, folded=False)
    before = state(net)
    train_stage(net, StageTask(stage(epochs=1), 0, data), context)
    changed = differing(before, state(net))
    assert {"backbone.stem.conv.weight", "backbone.stem.bn.running_mean", "head.fc.weight"} <= changed
    # Every parameter; the affine that stands last in the folded form too.
    still = {name for name, _ in net.named_parameters()} - changed
    assert not still


def test_a_frozen_head_thaws_in_the_next_stage(data: Dataset, context: Context, charset: Charset) -> None:
    net = network(charset)
    train_stage(net, StageTask(stage(freeze="backbone", epochs=1), 0, data), context)
    before = state(net)
    train_stage(net, StageTask(stage(epochs=1), 1, data), context)
    assert "backbone.stem.weight" in differing(before, state(net))


def test_the_guide_is_added_where_a_stage_asks_for_it(
    data: Dataset, context: Context, charset: Charset
) -> None:
    net = network(charset)
    train_stage(net, StageTask(stage(epochs=1, nrtr_weight=1), 0, data), context)
    assert net.nrtr is not None
    assert isinstance(context.reporter, Heard)
    assert any("NRTR" in line for line in context.reporter.lines)


def test_the_same_seed_gives_the_same_weights(data: Dataset, context: Context, charset: Charset) -> None:
    one, other, third = (network(charset) for _ in range(3))
    settings = stage(epochs=1, augment="standard")
    train_stage(one, StageTask(settings, 0, data), context)
    torch.manual_seed(99)
    np.random.seed(99)
    train_stage(other, StageTask(settings, 0, data), context)
    assert not differing(state(one), state(other))
    train_stage(third, StageTask(settings, 1, data), context)
    assert differing(state(one), state(third)), "another stage draws anew"


def test_training_learns(data: Dataset, context: Context, charset: Charset, tmp_path: Path) -> None:
    train_stage(network(charset), StageTask(stage(epochs=8, learning_rate=3e-3), 0, data), context)
    rows = [json.loads(line) for line in (tmp_path / "journal.jsonl").read_text("utf-8").splitlines()]
    losses = [row["loss"] for row in rows if row["event"] == "one validation"]
    assert len(losses) == 8
    assert losses[-1] < losses[0] / 2


class Kept(Keeper):
    """The exact match of each better network."""

    def __init__(self) -> None:
        self.better_ones = list[float]()

    def better(self, network: Network, validation: Validation) -> None:
        self.better_ones.append(validation.score.exact_match)


def test_an_epoch_below_the_start_is_only_kept_where_none_is_above(
    data: Dataset, context: Context, charset: Charset, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Exact match is 0.9, 0.8, 0.7.
    for start, best, told in ((0.75, 2, [0.9, 0.8]), (0.95, 3, [])):
        asked = scripted(monkeypatch, [0.1, 0.5, 0.8])
        net = network(charset)
        keeper = Kept()
        settings, limit = stage(epochs=3, freeze="backbone"), Score(start, 0.0, 8)
        outcome = train_stage(net, StageTask(settings, 0, data, start=limit), context, keeper)
        assert outcome.at.best_epoch == best
        assert not differing(asked[best - 1], state(net))
        assert keeper.better_ones == told


def test_validation_tells_how_probable_the_labels_are(
    data: Dataset, context: Context, charset: Charset
) -> None:
    net = with_charset(load_base(NAME), charset).model.network.eval()
    beyond = replace(data.lines[0], text="Ω")
    val = replace(data, lines=[beyond, *data.lines[1:]])
    context = replace(context, val=val)
    found = Validator(context)(net)
    by_features = Validator(context, features=HeldOutFeatures(net, val.crops, False))(net)
    label_probability = found.label_probability
    assert found.score == by_features.score
    assert label_probability == pytest.approx(by_features.label_probability, abs=1e-5)  # threads round
    expected = [0.0]
    for crop, label in zip(data.crops[1:], data.labels[1:], strict=True):
        packed = image.pack([image.resize(crop)], image.input_width(crop.shape[1]))
        with torch.inference_mode():
            expected.append(float(torch.exp(-ctc_loss(net(torch.from_numpy(packed)), [label]))))
    assert label_probability == pytest.approx(np.mean(expected), rel=1e-4)
    assert 0.1 < label_probability < 1 - 1 / len(val)
    with torch.no_grad():
        net.head.fc.bias[0] = float("nan")
    assert Validator(context)(net).label_probability == 0


def scripted(monkeypatch: pytest.MonkeyPatch, probabilities: list[float]) -> list[dict[str, Tensor]]:
    """The labels have these probabilities, one an epoch; the weights that were validated.

    Exact match falls with every epoch.
    """
    asked: list[dict[str, Tensor]] = []

    def validate(self: Validator, net: Network) -> Validation:
        asked.append(state(net))
        found = Score(1 - len(asked) / 10, -1.0, 8)
        helps = self._start is None or found > self._start
        return Validation(helps, probabilities[len(asked) - 1], found)

    monkeypatch.setattr(Validator, "__call__", validate)
    return asked


def test_early_stopping_stops_and_the_best_epoch_is_kept(
    data: Dataset, context: Context, charset: Charset, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = scripted(monkeypatch, [0.1, 0.5, 0.4, 0.5, 0.3, 0.9])
    net = network(charset)
    outcome = train_stage(net, StageTask(stage(epochs=9, patience=3, freeze="backbone"), 0, data), context)
    assert (outcome.at.epoch, outcome.at.best_epoch, outcome.score.exact_match) == (5, 2, 0.8)
    assert not differing(asked[1], state(net))
    assert differing(asked[4], state(net))
    assert isinstance(context.reporter, Heard)
    assert (
        context.reporter.lines[-1]
        == "stage one: stopped, because the last 3 epochs brought no better validation"
    )


def test_without_patience_every_epoch_runs(
    data: Dataset, context: Context, charset: Charset, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = scripted(monkeypatch, [0.5, 0.4, 0.3, 0.2])
    outcome = train_stage(network(charset), StageTask(stage(epochs=4, freeze="backbone"), 0, data), context)
    assert (len(asked), outcome.at.best_epoch) == (4, 1)


def test_few_crops_are_not_validated_longer_than_they_are_trained_on(
    data: Dataset, context: Context, charset: Charset, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = scripted(monkeypatch, [0.1, 0.3, 0.2, 0.2])
    more = replace(context, val=reduce(Dataset.__add__, [data] * 3))
    outcome = train_stage(network(charset), StageTask(stage(epochs=10, freeze="backbone"), 0, data), more)
    assert (len(asked), outcome.at.best_epoch) == (4, 6)


@pytest.mark.parametrize(
    ("epochs", "crops", "readings", "due"),
    [
        (3, 1000, 1000, [1, 2, 3]),
        (6, 400, 1000, [2, 4, 6]),
        (10, 10, 1000, [3, 6, 9, 10]),
        (1, 1, 1000, [1]),
    ],
)
def test_every_stage_ends_with_a_validation(epochs: int, crops: int, readings: int, due: list[int]) -> None:
    assert sorted(validated_epochs(epochs, crops, readings)) == due


def test_a_loss_that_is_no_number_is_an_error_with_a_way_out(
    data: Dataset, context: Context, charset: Charset
) -> None:
    net = network(charset)
    with torch.no_grad():
        net.head.fc.bias[0] = float("nan")
    with pytest.raises(LinetuneError, match=r"stage one: the loss became nan .*lower its learning_rate"):
        train_stage(net, StageTask(stage(), 0, data), context)


def test_a_loss_that_diverges_later_ends_the_stage_at_its_best_epoch(
    data: Dataset, context: Context, charset: Charset, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls = 0

    def diverging(logits: Tensor, labels: list[list[int]], aliases: AliasClasses) -> Tensor:
        nonlocal calls
        calls += 1
        return ctc_loss(logits, labels, aliases) * (float("inf") if calls > 3 else 1)

    monkeypatch.setattr(losses, "ctc_loss", diverging)
    net = network(charset)
    outcome = train_stage(net, StageTask(stage(epochs=5), 0, data), context)
    assert outcome.at.best_epoch == 1
    assert all(tensor.isfinite().all() for tensor in net.state_dict().values())
    assert isinstance(context.reporter, Heard)
    assert "goes back to step 2 with half the learning rate" in context.reporter.lines[0]
    assert "stops with its best validation; lower its learning_rate" in context.reporter.lines[-1]
    assert outcome.at.setbacks == 2


@pytest.mark.parametrize(("steps", "warmup"), [(100, 10), (100, 0), (5, 2.5), (1, 0.5), (3, 3), (2, 8)])
def test_the_learning_rate_rises_and_falls_within_its_peak(steps: int, warmup: float) -> None:
    rates = [rate_at(step, steps, warmup, 1e-3) for step in range(steps)]
    assert all(0 < rate <= 1e-3 for rate in rates)
    top = rates.index(max(rates))
    assert rates[: top + 1] == sorted(rates[: top + 1])
    assert rates[top:] == sorted(rates[top:], reverse=True)
    if steps == 100:
        assert max(rates) == pytest.approx(1e-3)
        assert rates[-1] < 1e-5


# A whole run

RUN = """
output: run
base_model: PP-OCRv5_mobile_rec
data: {{train: real/labels.txt, val: val/labels.txt, test: test/labels.txt}}
synth: {{rule: '(AB|C-)[0-9]{{3}}', fonts: {font}, count: 12, output: synth}}
stages:
  - {{name: head, data: [synth, train], freeze: backbone, epochs: 1, learning_rate: 1e-4, batch_size: 2}}
  - {{name: full, data: train, epochs: 1, learning_rate: 1e-5, batch_size: 16, nrtr_weight: 0.5}}
  - {{name: real, data: train, epochs: 1, learning_rate: 1e-5, batch_size: 8, augment: standard, patience: 1}}
"""


def linetune(*arguments: object) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-W", "error::UserWarning", "-m", "linetune", *map(str, arguments)]
    environment = os.environ | {"COLUMNS": "120", "PYTHONIOENCODING": "utf-8"}
    return subprocess.run(
        command, check=False, capture_output=True, text=True, encoding="utf-8", env=environment
    )


@pytest.fixture(scope="module")
def project(
    tmp_path_factory: pytest.TempPathFactory, make_crops: Callable[..., Path], charset: Charset
) -> Path:
    folder = tmp_path_factory.mktemp("project")
    for name, texts in (("real", NAMES[:8]), ("val", NAMES[8:14]), ("test", ["AB123", "C-987", "Z-1"])):
        make_crops(folder / name, texts)
    (folder / "linetune.yaml").write_text(RUN.format(font=ROBOTO.as_posix()), encoding="utf-8")
    small = network(charset).eval()
    save_model(Model(small, charset, "small", "made here"), folder / "small.safetensors")
    return folder


@pytest.fixture(scope="module")
def first_run(project: Path) -> subprocess.CompletedProcess[str]:
    return linetune("train", project / "linetune.yaml")


@pytest.fixture
def run(project: Path, first_run: subprocess.CompletedProcess[str]) -> Path:
    assert first_run.returncode == 0, first_run.stderr
    return project / "run"


def test_a_run_leaves_everything_in_its_folder(run: Path) -> None:
    names = {path.relative_to(run).as_posix() for path in run.rglob("*") if path.is_file()}
    boards = {name for name in names if name.startswith("tensorboard/")}
    assert len(boards) == 1
    assert names - boards == {
        "config.yaml",
        "charset.txt",
        "journal.jsonl",
        "results.json",
        "model.safetensors",
        "model.onnx",
        "report.html",
        "MODEL_CARD.md",
        "readings/base.jsonl",
        "readings/kept.jsonl",
        "rendered/labels.txt",
        *(f"rendered/{number:02}.png" for number in range(12)),
        "stages/1-head.safetensors",
        "stages/2-full.safetensors",
        "stages/3-real.safetensors",
    }
    assert load(run / "config.yaml").stages[2].augment.warp > 0
    assert Charset.read(run / "charset.txt") == load_model(run / "model.safetensors").charset
    assert "".join(Charset.read(run / "charset.txt").characters) == "-0123456789ABC"


def test_a_run_prints_its_table(run: Path, first_run: subprocess.CompletedProcess[str]) -> None:
    results = json.loads((run / "results.json").read_text("utf-8"))
    names = [row["name"] for row in results["rows"]]
    assert names == [
        f"{NAME}, untouched",
        f"{NAME}, limited to the charset",
        "stage head",
        "stage full",
        "stage real",
    ]
    out = first_run.stdout
    assert all(name.split(",")[0] in out for name in names)
    low, high = results["rows"][0]["test"]["interval"]
    assert f"{results['rows'][0]['test']['exact_match']:.1%} ({100 * low:.0f}–{100 * high:.0f})" in out
    assert " * " in out
    assert results["general_reading"]["before"]["lines"] > 50
    assert "general reading" in out
    assert "validation (which chose the model): " in out or results["gain"] == {}
    assert "val exact" in out
    assert "test exact" in out
    assert str(run / "model.onnx") in out
    assert str(run / "report.html") in out
    assert "the charset has 14 characters; the base model knows 14 of them" in first_run.stderr
    assert "1 of 3 test lines have characters outside the charset ('Z')" in first_run.stderr
    assert "Traceback" not in first_run.stderr


def test_a_run_keeps_the_best_on_validation(run: Path) -> None:
    results = json.loads((run / "results.json").read_text("utf-8"))
    rows = {row["name"]: (row["val"]["exact_match"], -row["val"]["cer"]) for row in results["rows"]}
    del rows[f"{NAME}, untouched"]
    assert rows[results["best"]] == max(rows.values())
    kept = load_model(run / "model.safetensors")
    assert kept.history["name"] == results["best"]
    assert kept.base_model == NAME


def test_the_journal_is_json_lines_with_every_kind_of_event(run: Path) -> None:
    rows = [json.loads(line) for line in (run / "journal.jsonl").read_text("utf-8").splitlines()]
    events = [row["event"] for row in rows]
    assert {f"{name} validation" for name in ("head", "full", "real")} <= set(events)
    assert events.count("result") == 5
    assert events[-1] == "end"
    (step,) = [row for row in rows if row["event"] == "head"]
    assert step["step"] == 10
    assert {"loss", "learning_rate", "gradient_norm", "epoch", "seconds"} <= step.keys()


def test_a_stage_on_rendered_and_real_crops_has_no_more_rendered_ones_than_the_run_asks_for(
    run: Path, project: Path
) -> None:
    assert load(run / "config.yaml").synth is not None
    assert len(list((project / "synth" / "images").glob("*.jpg"))) == 12


def test_the_frozen_stage_left_the_official_backbone_as_it_was(run: Path) -> None:
    official = load_base(NAME).network.backbone.state_dict()
    head = load_model(run / "stages/1-head.safetensors").network.backbone.state_dict()
    full = load_model(run / "stages/2-full.safetensors").network.backbone.state_dict()
    assert official.keys() == head.keys()
    assert all(torch.equal(official[name], head[name]) for name in official)
    assert not all(torch.equal(official[name], full[name]) for name in official)


def test_a_second_run_is_refused(
    project: Path, run: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    before = {path.name: path.read_bytes() for path in run.glob("*.*")}
    monkeypatch.setattr(sys, "argv", ["linetune", "train", str(project / "linetune.yaml")])
    with pytest.raises(SystemExit) as caught:
        main()
    assert caught.value.code == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith(f"error: {run}: ")
    assert "--overwrite" in line
    assert before == {path.name: path.read_bytes() for path in run.glob("*.*")}


def quick(project: Path, output: str, **changes: Any) -> Config:
    """A short run of a small network that has learned nothing."""
    return short(project, output, **({"base_model": str(project / "small.safetensors")} | changes))


def short(project: Path, output: str, **changes: Any) -> Config:
    """A short run of a model that reads the crops."""
    only = {"name": "head", "data": "train", "freeze": "backbone", "epochs": 1, "learning_rate": 1e-4}
    config = {
        "output": project / output,
        "base_model": NAME,
        "data": {"train": project / "real/labels.txt", "val": project / "val/labels.txt"},
        "stages": [only],
    }
    return Config.model_validate(config | changes)


def test_a_run_calibrates_the_model_that_it_keeps(
    project: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(calibration, "FEWEST", 3)
    train(short(project, str(tmp_path / "out")))
    kept = load_model(tmp_path / "out/model.safetensors")
    assert 3 <= kept.calibration["readings"] <= 6
    assert kept.calibration["labels"] == kept.provenance["data"]["val"]["labels"]


def test_overwrite_replaces_a_run_and_a_ruined_model_is_not_kept(
    project: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "out" / "config.yaml"
    path.parent.mkdir()
    save(short(project, str(path.parent)), path)
    (tmp_path / "out/notes.txt").write_text("mine", encoding="utf-8")
    (tmp_path / "out/stages").mkdir()
    (tmp_path / "out/stages/9-old.safetensors").write_bytes(b"old")
    # A learning rate that ruins the model: the base model is kept, which is no failure.
    train_command(path, ["stages.head.learning_rate=0.5"], overwrite=True)
    out = capsys.readouterr().out
    assert "limited to the charset *" in out
    assert "did not help" in out
    assert (tmp_path / "out/notes.txt").read_text("utf-8") == "mine"
    assert [p.name for p in (tmp_path / "out/stages").iterdir()] == ["1-head.safetensors"]
    kept, base = load_model(tmp_path / "out/model.safetensors").network.neck, load_base(NAME).network.neck
    assert not differing(dict(kept.state_dict()), dict(base.state_dict()))


@pytest.mark.parametrize(
    ("epochs", "told"),
    [
        (0, "stopped; {model} is the base model, because no stage was better yet; the last checkpoint is "),
        (1, "stopped; the best model so far is {model} (100.0% of validation); the last checkpoint is "),
    ],
)
def test_an_interruption_tells_what_is_kept(
    project: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    epochs: int,
    told: str,
) -> None:
    only = {"name": "head", "data": "train", "freeze": "backbone", "epochs": 3, "learning_rate": 1e-4}
    save(quick(project, str(tmp_path / "out"), stages=[only]), tmp_path / "linetune.yaml")
    asked: list[dict[str, Tensor]] = []

    def validate(_: Validator, net: Network) -> Validation:
        if len(asked) == epochs:
            raise KeyboardInterrupt
        asked.append(state(net))
        # Better than the base model, which may be perfect here.
        return Validation(True, len(asked) / 10, Score(1.0, float(len(asked)), 8))

    monkeypatch.setattr(Validator, "__call__", validate)
    monkeypatch.setattr(sys, "argv", ["linetune", "train", str(tmp_path / "linetune.yaml")])
    with pytest.raises(SystemExit) as caught:
        main()
    assert caught.value.code == 130
    path = tmp_path / "out/model.safetensors"
    assert told.format(model=path) in capsys.readouterr().err
    if asked:
        assert not differing(asked[-1], load_model(path).network.state_dict())


def test_a_stage_starts_from_the_best_model_so_far_and_a_tie_speaks_for_new_labels(
    project: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    starts, ends = list[dict[str, Tensor]](), list[dict[str, Tensor]]()

    def recorded(net: Network, *arguments: Any) -> StageResult:
        starts.append(state(net))
        outcome = train_stage(net, *arguments)
        ends.append(state(net))
        return outcome

    monkeypatch.setattr(chains, "train_stage", recorded)
    # The base model reads nothing. Stages a and b train on rendered crops alone.
    matches, cers = iter([0.5, 0.5, 0.25, 0.5, 0.5, 0.5, 1.0]), iter([0.1, 0.1, 0.1, 0.12, 0.105, 0.105, 0.0])
    validate = Validator.__call__

    def scripted_score(self: Validator, net: Network) -> Validation:
        crops = len(self._context.val)
        found = Score(next(matches), -next(cers), crops, (True,) * crops)
        with monkeypatch.context() as patch:
            patch.setattr(validation, "score", lambda *_: found)
            return validate(self, net)

    monkeypatch.setattr(Validator, "__call__", scripted_score)
    each = {"epochs": 1, "learning_rate": 1e-4}
    stages = [{"name": name, "data": "synth" if name in "ab" else "train", **each} for name in "abcdefg"]
    synth = {"rule": "AB[0-9]{2}", "fonts": [ROBOTO], "count": 4}
    heard = Heard()
    result = train(quick(project, str(tmp_path / "out"), synth=synth, stages=stages), reporter=heard)
    for start, before in zip(starts[1:], "aaaaee", strict=True):
        assert not differing(ends["abcdefg".index(before)], start)
    assert "stage b is no better; the next stage starts from stage a" in heard.lines
    assert "stage c is no better; the next stage starts from stage a" in heard.lines
    assert "stage d is no better; the next stage starts from stage a" in heard.lines, "its CER is worse"
    said = "stage e is kept on a tie, because it learned from real crops new to stage a"
    assert [line for line in heard.lines if "tie" in line] == [said]
    assert "stage f is no better; the next stage starts from stage e" in heard.lines
    assert result.best == "stage g"


def test_an_earlier_run_stays_until_a_better_model_takes_its_place(
    project: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    earlier = {"config.yaml": b"", "model.safetensors": b"good", "stages/1-a.safetensors": b"a", "mine": b"1"}
    (tmp_path / "out/stages").mkdir(parents=True)
    for name, content in earlier.items():
        (tmp_path / "out" / name).write_bytes(content)
    monkeypatch.setattr(chains, "train_stage", interrupted)
    with pytest.raises(Interrupted) as caught:
        train(quick(project, str(tmp_path / "out")), overwrite=True)
    files = (path for path in (tmp_path / "out").rglob("*") if path.is_file())
    assert {path.relative_to(tmp_path / "out").as_posix(): path.read_bytes() for path in files} == earlier
    still = f"{tmp_path / 'out'} still has the earlier run, because no stage was better yet"
    assert str(caught.value) == still


def test_an_interruption_of_the_set_up_leaves_an_earlier_run_unmentioned(
    project: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    (tmp_path / "out").mkdir()
    (tmp_path / "out/config.yaml").write_text("", encoding="utf-8")
    (tmp_path / "out/model.safetensors").write_bytes(b"good")
    monkeypatch.setattr(runs, "gather", interrupted)
    heard = Heard()
    with pytest.raises(KeyboardInterrupt):
        train(short(project, str(tmp_path / "out")), overwrite=True, reporter=heard)
    assert (tmp_path / "out/model.safetensors").read_bytes() == b"good"
    assert heard.lines == []


def test_figures_come_as_json_when_asked(
    project: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "linetune.yaml"
    save(short(project, str(tmp_path / "out")), path)
    train_command(path, ["seed=1"], as_json=True)
    result = json.loads(capsys.readouterr().out)
    assert {"best", "rows", "model", "onnx", "unknown_characters", "skipped", "seconds"} <= result.keys()
    assert Path(result["onnx"]).is_file()
    assert result["rows"][2]["training_seconds"] > 0
    assert result["rows"][0]["test"] is None
    assert load(tmp_path / "out/config.yaml").seed == 1


def test_lines_that_cannot_be_used_stop_a_run_or_are_skipped_when_asked(
    project: Path, tmp_path: Path, make_crops: Callable[..., Path]
) -> None:
    labels = make_crops(tmp_path / "crops", NAMES[:3])
    (tmp_path / "crops/01.png").unlink()
    config = quick(project, str(tmp_path / "out"), data={"train": labels, "val": project / "val/labels.txt"})
    with pytest.raises(LinetuneError) as caught:
        train(config)
    message = str(caught.value)
    assert "labels.txt:2" in message
    assert "01.png" in message
    assert "--skip-bad" in message
    assert not (tmp_path / "out").exists(), "nothing is left behind"
    heard = Heard()
    assert train(config, skip_bad=True, reporter=heard).skipped == 1
    assert any("leaves out 1 line" in line for line in heard.lines)


def test_what_is_odd_about_most_labels_is_said_before_training(
    project: Path, tmp_path: Path, make_crops: Callable[..., Path]
) -> None:
    labels = make_crops(tmp_path / "crops", NAMES[:8])
    labels.write_text(labels.read_text("utf-8").replace("\n", " \n"), "utf-8")
    copy = labels.with_name("val.txt")
    copy.write_bytes(labels.read_bytes())
    config = quick(project, str(tmp_path / "out"), data={"train": labels, "val": copy})
    heard = Heard()
    with pytest.raises(LinetuneError, match="are in two of train, val and test"):
        train(config, reporter=heard)
    assert "labels with a space at an end: 16 of 16; linetune check shows them" in heard.lines


def test_a_stage_trains_on_the_label_files_it_names(
    project: Path, tmp_path: Path, make_crops: Callable[..., Path]
) -> None:
    extra = make_crops(tmp_path / "extra", ["XY7", "7YX"])
    one = {"epochs": 1, "learning_rate": 1e-4, "freeze": "backbone"}
    stages = [{"name": "a", "data": [str(extra), "train"], **one}, {"name": "b", "data": str(extra), **one}]
    heard = Heard()
    result = train(quick(project, str(tmp_path / "out"), stages=stages, charset_space=True), reporter=heard)
    said = "\n".join(heard.lines)
    assert "stage a: 1 x 10 crops" in said
    assert "stage b: 1 x 2 crops" in said
    characters = "".join(Charset.read(result.folder / "charset.txt").characters)
    assert {"X", "Y"} <= set(characters)
    assert characters.endswith(" ")


def test_train_exports_what_the_command_exports(project: Path, tmp_path: Path) -> None:
    result = train_and_export(short(project, str(tmp_path / "out")))
    assert result.onnx.is_file()
    assert result.compared == 6
    crops = [line.image for line in read_labels(project / "val/labels.txt")]
    own = Recogniser.load(result.folder).read(crops)
    assert [reading.text for reading in Recogniser.load(result.onnx).read(crops)] == [r.text for r in own]


def test_a_folder_that_holds_no_run_is_never_replaced(project: Path, tmp_path: Path) -> None:
    (tmp_path / "thesis.doc").write_text("mine", encoding="utf-8")
    for overwrite in (False, True):
        with pytest.raises(LinetuneError, match=r"choose another output="):
            train(short(project, str(tmp_path)), overwrite=overwrite)
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.doc"]


def test_a_run_goes_on_from_another_ones_model(project: Path, run: Path, tmp_path: Path) -> None:
    result = train(short(project, str(tmp_path / "out"), base_model=str(run)))
    assert result.rows[0].name == f"{run.name} (from {NAME}), untouched"
    assert not result.onnx.exists()
    assert json.loads((tmp_path / "out/results.json").read_text("utf-8")) == result.as_dict()


def test_a_batch_in_pieces_has_the_loss_and_the_gradient_of_the_whole(
    data: Dataset, charset: Charset, context: Context, tmp_path: Path
) -> None:
    for piece in (3, 8):
        net = network(charset)
        for module in net.modules():
            if isinstance(module, nn.Dropout):
                module.p = 0.0
        train_stage(net, StageTask(stage(epochs=1, batch_size=8), 0, data, piece), context)
    entries = map(json.loads, (tmp_path / "journal.jsonl").read_text("utf-8").splitlines())
    pieces, whole = (entry for entry in entries if "gradient_norm" in entry)
    assert pieces["loss"] == pytest.approx(whole["loss"], rel=1e-4)
    assert pieces["gradient_norm"] == pytest.approx(
        whole["gradient_norm"], rel=0.02
    )  # large, in a fresh network


def test_a_stage_is_estimated_and_a_batch_that_does_not_fit_is_cut_into_pieces(
    data: Dataset, charset: Charset, monkeypatch: pytest.MonkeyPatch
) -> None:
    net, settings = network(charset), stage(batch_size=8)
    before = state(net)
    images = ImageBatches(data, settings, 0, 0, torch.device("cpu"))
    cost = estimates.estimate(net, settings, images, torch.float32)
    assert cost.seconds > 0
    assert cost.piece == 8
    assert cost.fits
    assert not differing(before, state(net))
    monkeypatch.setattr(estimates, "free_memory", lambda device: cost.bytes)
    tight = estimates.estimate(net, settings, images, torch.float32)
    assert 1 <= tight.piece < 8
    assert tight.bytes < cost.bytes


def test_a_run_says_what_it_will_take(project: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(estimates, "free_memory", lambda device: 0)
    heard = Heard()
    train(quick(project, str(tmp_path / "out")), reporter=heard)
    said = "\n".join(heard.lines)
    assert "stage head: free memory is short: a batch goes through the network in pieces of 1" in said
    assert "stage head: even that may not fit" in said
    assert "stage head: 1 x 8 crops, about " in said
    assert "stage head: batch_size is 32, but there are only 8 crops: an epoch is one step" in said
    assert "of training in all" in said


def test_views_beyond_the_epochs_are_told_where_they_were_asked_for(project: Path, tmp_path: Path) -> None:
    only = {"name": "head", "data": "train", "freeze": "backbone", "epochs": 1, "learning_rate": 1e-4}
    for given, told in (({}, False), ({"views": 2}, True)):
        heard = Heard()
        stage = only | {"augment": {"blur": 1}, "batch_size": 4} | given
        train(quick(project, str(tmp_path / "out"), stages=[stage]), overwrite=True, reporter=heard)
        said = "stage head: views is 2, but one view an epoch is stored at most (1)"
        assert (said in heard.lines) is told
        assert not any("batch_size" in line for line in heard.lines)


def test_a_crop_in_two_splits_stops_a_run_or_is_left_out_when_asked(
    project: Path, tmp_path: Path, make_crops: Callable[..., Path]
) -> None:
    train_labels = make_crops(tmp_path / "crops", NAMES[:4])
    shutil.copy(tmp_path / "crops/02.png", tmp_path / "same.png")
    val_labels = tmp_path / "val.txt"
    val_labels.write_text(f"same.png\t{NAMES[2]}\n", encoding="utf-8")
    config = quick(project, str(tmp_path / "out"), data={"train": train_labels, "val": val_labels})
    with pytest.raises(LinetuneError) as caught:
        train(config)
    message = str(caught.value)
    assert f"{train_labels}:3: the same image as {val_labels}:1" in message
    assert "1 crop is in two of train, val and test" in message
    assert not (tmp_path / "out").exists()
    heard = Heard()
    train(config, skip_bad=True, reporter=heard)
    assert "leaves out 1 crops that are in another split too" in heard.lines
    assert any("1 x 3 crops" in line for line in heard.lines)
    config = quick(project, str(tmp_path / "out"), data={"train": val_labels, "val": train_labels})
    with pytest.raises(LinetuneError, match=r"data.train: every crop is in another split too"):
        train(config, overwrite=True, skip_bad=True)


def test_a_cache_that_cannot_be_written_stops_a_run_before_it_touches_an_earlier_one(
    project: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "out/config.yaml").write_text("", encoding="utf-8")
    (tmp_path / "out/model.onnx").write_bytes(b"good")
    (tmp_path / "file").write_text("", encoding="utf-8")
    monkeypatch.setenv("LINETUNE_CACHE", str(tmp_path / "file"))
    with pytest.raises(LinetuneError, match=r"the cache folder cannot be written .*LINETUNE_CACHE"):
        train(short(project, str(tmp_path / "out")), overwrite=True)
    assert (tmp_path / "out/model.onnx").read_bytes() == b"good"


def test_a_run_that_was_interrupted_before_it_had_a_model_is_in_nobodys_way(
    project: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "out"

    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(chains, "general_reading", interrupted)
        with pytest.raises(KeyboardInterrupt):
            train(quick(project, str(out)))
    assert {path.name for path in out.iterdir()} <= {
        "config.yaml",
        "charset.txt",
        "journal.jsonl",
        "tensorboard",
        "readings",
        "rendered",
    }
    heard = Heard()
    assert train(quick(project, str(out)), reporter=heard).model.exists()
    assert not any("has the earlier run" in line for line in heard.lines)
    assert not (out / "earlier-run").exists()


def test_a_configuration_of_ones_own_in_the_runs_folder_is_not_cleared(project: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    out.mkdir()
    (out / "config.yaml").write_text("mine", encoding="utf-8")
    with pytest.raises(LinetuneError, match="the folder already has a run"):
        train(short(project, str(out)))
    assert (out / "config.yaml").read_text("utf-8") == "mine"


def test_two_runs_do_not_fill_one_folder(project: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    with cache.locked(out), pytest.raises(LinetuneError, match="another linetune is writing to this folder"):
        train(short(project, str(out)), overwrite=True)
    assert not out.exists()


def test_a_run_whose_crops_stand_upside_down_reads_both_ways_up(project: Path, tmp_path: Path) -> None:
    labels = tmp_path / "turned.txt"
    given = read_labels(project / "real/labels.txt")
    for number, line in enumerate(given):
        crop = image.read(line.image)
        image.write(tmp_path / f"{number}.png", image.half_turned(crop) if number % 2 else crop)
    labelfile.write_labels(labels, [(f"{number}.png", line.text) for number, line in enumerate(given)])
    shutil.copy(labels, tmp_path / "more.txt")
    stage = {"name": "head", "freeze": "backbone", "epochs": 1, "learning_rate": 1e-3}
    stage |= {"data": ["train", str(tmp_path / "more.txt")]}
    data = {"train": labels, "val": project / "val/labels.txt"}
    for both_ways, expected in (("auto", True), (False, False)):
        heard = Heard()
        config = short(project, str(tmp_path / "out"), data=data, stages=[stage], both_ways=both_ways)
        result = train(config, reporter=heard, overwrite=True)
        turned = [line for line in heard.lines if line.endswith("turned upright for training")]
        assert turned == ["4 of 8 real crops are turned upright for training"] * (2 if expected else 0)
        kept = load_model(result.folder / "stages/1-head.safetensors")
        assert kept.both_ways is expected
        assert load(result.folder / "config.yaml").both_ways is expected


@pytest.mark.parametrize("trained", [False, True])
def test_a_killed_run_leaves_the_better_model_behind_for_the_next(
    project: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, trained: bool
) -> None:
    out = tmp_path / "out"
    first = train(short(project, str(out)))
    name = load_model(first.model).history["name"]
    aside = out / "earlier-run"
    aside.mkdir()
    # What a process that was killed leaves: the run before it aside, its own files not all there yet.
    for path in ("config.yaml", "charset.txt", "results.json", "model.safetensors", "stages"):
        (out / path).rename(aside / path)
    if trained:
        save_model(replace(load_model(aside / "model.safetensors"), history={"name": "stage b"}), first.model)
    with pytest.raises(LinetuneError, match="the folder already has a run"):
        train(short(project, str(out)))

    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(chains, "train_stage", interrupted)
    with pytest.raises(KeyboardInterrupt):
        train(short(project, str(out)), overwrite=True)
    assert load_model(first.model).history["name"] == ("stage b" if trained else name)
    assert not aside.exists()
