"""Which stages a run takes, on how much, and how it shares the time that it is given."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from importlib import resources
from pathlib import Path
from typing import Any

import pytest
from conftest import Heard

from linetune.cli import main
from linetune.cli.options import seconds_of
from linetune.config import Config
from linetune.core.errors import LinetuneError
from linetune.training import chain as chains
from linetune.training import plan as plans
from linetune.training.estimate import Estimate
from linetune.training.plan import Plan, StagePlan
from linetune.training.run import train as train_and_export
from linetune.training.trial import Trial

train = partial(train_and_export, export=False)  # faster
ROBOTO = Path(str(resources.files("font_roboto"))) / "files" / "Roboto-Bold.ttf"
HEAD = {"name": "head", "data": "synth", "freeze": "backbone", "learning_rate": 1e-4}
REAL = {"name": "real", "data": "train", "learning_rate": 1e-5, "batch_size": 4}
TEXTS = ["AB123", "C-987", "AB777", "C-001", "AB042", "C-555"]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory, make_crops: Callable[..., Path]) -> Path:
    path = tmp_path_factory.mktemp("plan")
    make_crops(path / "train", TEXTS[:4])
    make_crops(path / "val", TEXTS[4:])
    return path


def config(folder: Path, output: Path, *stages: dict[str, Any]) -> Config:
    return Config.model_validate(
        {
            "output": output / "run",
            "base_model": "PP-OCRv5_mobile_rec",
            "data": {"train": folder / "train/labels.txt", "val": folder / "val/labels.txt"},
            "synth": {
                "rule": "(AB|C-)[0-9]{3}",
                "fonts": ROBOTO,
                "count": 60,
                "output": output / "synth",
            },
            "stages": list(stages),
        }
    )


def rendered(output: Path) -> int:
    return len(list((output / "synth/images").glob("*.jpg")))


@pytest.mark.parametrize(("after", "stages", "crops"), [(0.4, 0, 20), (0.6, 1, 60)])
def test_a_stage_whose_trial_does_harm_is_skipped_and_its_other_crops_are_not_rendered(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, after: float, stages: int, crops: int
) -> None:
    monkeypatch.setattr(plans, "FEW", 20)
    monkeypatch.setattr(chains, "try_rendered", lambda *_: Trial(20, 0.5, after))
    heard = Heard()
    result = train(config(folder, tmp_path, HEAD | {"trial": 20, "steps": 2}), reporter=heard)
    assert len(result.rows) == 2 + stages
    assert rendered(tmp_path) == crops
    trial = f"changed the mean probability of the validation labels from 50.0% to {after:.1%}"
    assert f"stage head: {'' if stages else 'skipped: '}a trial on 20 rendered crops {trial}" in heard.lines


def test_a_trial_trains_and_leaves_the_model_as_it_was(folder: Path, tmp_path: Path) -> None:
    heard = Heard()
    result = train(config(folder, tmp_path, HEAD | {"trial": 20, "steps": 1}), reporter=heard)
    assert any("a trial on 20 rendered crops changed the mean probability" in line for line in heard.lines)
    rows = map(json.loads, (result.folder / "journal.jsonl").read_text("utf-8").splitlines())
    (trial,) = [row for row in rows if row["event"] == "head trial"]
    assert trial["before"] != trial["after"]
    assert {"head-trial validation"} <= {
        json.loads(line)["event"]
        for line in (result.folder / "journal.jsonl").read_text("utf-8").splitlines()
    }


def test_a_stage_that_says_how_long_it_trains_cannot_keep_a_time(folder: Path, tmp_path: Path) -> None:
    with pytest.raises(LinetuneError, match=r"stages.real.epochs: says how long .* leave it out"):
        train(config(folder, tmp_path, REAL | {"epochs": 3}), within=60)
    assert not (tmp_path / "run").exists()


def test_a_run_without_enough_time_renders_no_more_than_a_few_crops_and_ends_in_time(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(plans, "FEW", 20)
    heard = Heard()
    result = train(config(folder, tmp_path, HEAD, REAL), within=plans.ENDING + 4, reporter=heard)
    assert "stage head: uses 20 of 60 rendered crops, because the time is short" in heard.lines
    assert any("not all of that fits into" in line for line in heard.lines)
    assert rendered(tmp_path) == 20
    assert [row.name for row in result.rows[2:]] == ["stage head", "stage real"]
    assert result.seconds < plans.ENDING + 20


def planned(seconds: float = 1000, rendering: float = 200, crops: int = 20_000) -> StagePlan:
    stage = config(Path(), Path(), HEAD).stages[0]
    return StagePlan(stage, 0, crops, crops, Estimate(seconds, 0.6 * seconds, 1, 1, True), rendering)


def test_rendered_crops_are_as_many_as_the_time_allows() -> None:
    whole = planned()
    assert whole.fitted(1300) == whole
    half = whole.fitted(600)
    assert half.rendered == pytest.approx(0.7 * 600 / (800 / 20_000), abs=1)
    assert whole.fitted(5).rendered == plans.FEW
    real = replace(whole, stage=config(Path(), Path(), REAL).stages[0])
    assert real.fitted(10) == real


@pytest.mark.parametrize(
    ("seconds", "head", "real"),
    [(2400.0, 1380.0, 1000.0), (620.0, 300.0, 600.0)],
    ids=["there is enough for all", "real crops get half at least"],
)
def test_stages_share_the_time_there_is(
    monkeypatch: pytest.MonkeyPatch, seconds: float, head: float, real: float
) -> None:
    monkeypatch.setattr("time.perf_counter", lambda: 0.0)
    monkeypatch.setattr(plans, "ENDING", 20.0)
    plan = Plan.__new__(Plan)
    plan._end = seconds
    first = planned(800)
    last = replace(
        first,
        stage=config(Path(), Path(), REAL).stages[0],
        number=1,
        cost=Estimate(1000, 0, 1, 1, True),
        rendering=0,
    )
    plan.stages = [first, last]
    assert plan.time_for(first, 0) == pytest.approx(min(head, seconds - 20), rel=0.01)
    left = plan.time_for(last, 0)
    assert left is not None
    assert left >= min(real, seconds - 20)


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("20min", 1200), ("1h30min", 5400), ("90s", 90), ("1.5h", 5400), (" 2 H 5 m ", 7500)],
)
def test_times_are_written_as_people_write_them(text: str, seconds: float) -> None:
    assert seconds_of(text, "--within") == seconds


@pytest.mark.parametrize("text", ["", "20", "min", "0s", "-5min", "5 minutes ago", "1h;2"])
def test_what_is_no_time_is_refused_with_an_example(
    text: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    arguments = ["linetune", "train", str(tmp_path / "gone.yaml"), f"--within={text}"]
    monkeypatch.setattr("sys.argv", arguments)
    with pytest.raises(SystemExit) as caught:
        main()
    assert caught.value.code == 2
    assert f"--within: {text!r} is not a time; write one such as 20min" in capsys.readouterr().err
