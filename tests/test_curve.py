from __future__ import annotations

import json
import shutil
import xml.etree.ElementTree as ET
from collections.abc import Callable, Sequence
from dataclasses import replace
from importlib import resources
from pathlib import Path
from typing import Any

import pytest
import torch
from conftest import Cli

from linetune.analysis import learning_curve as curves
from linetune.analysis.learning_curve import Curve, Point
from linetune.config import Config
from linetune.core import labelfile
from linetune.core.charset import Charset
from linetune.core.progress import Silent
from linetune.evaluation.metrics import Score
from linetune.evaluation.trend import power_law
from linetune.formats.model import Model
from linetune.formats.store import load_model, save_model
from linetune.models.families.pp_ocr_mobile import PPOCRMobile
from linetune.models.layers.reparam import fold
from linetune.models.network import Network
from linetune.report.curve import picture
from linetune.report.words import Words
from linetune.training.run import train

ROBOTO = Path(str(resources.files("font_roboto"))) / "files" / "Roboto-Bold.ttf"
TEXTS = [f"{a}{b}{(a + 3) * (b + 7) % 90 + 10}" for a in range(6) for b in range(2)] + ["XY"]


@pytest.fixture(scope="module")
def project(
    tmp_path_factory: pytest.TempPathFactory, make_crops: Callable[[Path, Sequence[str]], Path]
) -> Path:
    """A run of two stages on a small network that has learned nothing."""
    folder = tmp_path_factory.mktemp("project")
    make_crops(folder / "train", TEXTS)
    make_crops(folder / "val", ["0101", "2202", "31"])
    torch.manual_seed(0)
    charset = Charset.collect(TEXTS)
    network = fold(Network(PPOCRMobile(scale=0.35), charset.classes))
    save_model(Model(network, charset, "small", "here"), folder / "small.safetensors")
    (folder / "linetune.yaml").write_text(
        "output: run\nbase_model: small.safetensors\n"
        "data: {train: train/labels.txt, val: val/labels.txt}\n"
        f"synth: {{rule: '[0-9]{{4}}', fonts: {ROBOTO.as_posix()}, count: 4, output: synth}}\n"
        "stages:\n"
        "  - {name: head, data: synth, freeze: backbone, epochs: 1, learning_rate: 1e-4}\n"
        "  - {name: real, data: train, epochs: 1, learning_rate: 1e-4}\n",
        encoding="utf-8",
    )
    return folder


@pytest.fixture
def runs(monkeypatch: pytest.MonkeyPatch) -> list[Config]:
    """The runs that are trained from now on."""
    trained: list[Config] = []

    def watched(config: Config, **options: Any) -> object:
        trained.append(config)
        return train(config, **options)

    monkeypatch.setattr(curves, "train", watched)
    return trained


def score(exact: float, lines: int = 400) -> Score:
    return Score(exact, -0.1, lines)


def test_every_size_is_a_run_and_what_is_finished_is_not_run_again(
    project: Path, tmp_path: Path, runs: list[Config], cli: Cli
) -> None:
    output = tmp_path / "curve"
    command = ("learning-curve", project / "linetune.yaml", "--output", output, "--lang", "zh")
    done = cli(*command, "--sizes", "6,3", "--json")
    assert done.code == 0
    printed = json.loads(done.out)
    assert [point["crops"] for point in printed["points"]] == [3, 6, len(TEXTS)]
    assert [config.output.name for config in runs] == ["shared", "3", "6", str(len(TEXTS))]
    # The stage on rendered crops is trained once, and the others start from the best of that run.
    assert [[stage.name for stage in config.stages] for config in runs] == [["head"], *[["real"]] * 3]
    assert {config.base_model for config in runs[1:]} == {str(output / "shared/model.safetensors")}
    # All have the characters of all labels, though X and Y are in one crop.
    assert {(output / name / "charset.txt").read_bytes() for name in ("shared", "3", "6")} == {
        (output / "charset.txt").read_bytes()
    }
    assert "X" in Charset.read(output / "charset.txt")
    # A size holds the smaller ones; the label file at hand is as it was.
    three, six, everything = (
        {(line.image, line.text) for line in labelfile.read_labels(output / f"{size}.txt")}
        for size in (3, 6, len(TEXTS))
    )
    assert three < six < everything
    assert (len(three), len(six)) == (3, 6)
    assert {text for _, text in everything} == set(TEXTS)
    assert json.loads((output / "curve.json").read_text("utf-8"))["points"] == printed["points"]
    ET.parse(output / "curve.svg")
    for name in ("curve.svg", "curve.html"):
        assert ">训练图像数<" in (output / name).read_text("utf-8")

    runs.clear()
    shown = cli(*command, "--sizes", "6,9")
    assert shown.code == 0
    assert [config.output.name for config in runs] == ["9"]
    assert "6: finished before" in shown.err
    assert [row.split()[1] for row in shown.out.splitlines() if row.startswith("│")] == ["6", "9", "13"]
    # Other settings would not be comparable.
    refused = cli(*command, "seed=7")
    assert refused.code == 2
    assert "other settings or labels" in refused.err


def test_an_interruption_leaves_what_is_finished(
    project: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, cli: Cli
) -> None:
    def interrupted(config: Config, **options: Any) -> object:
        if config.output.name == "6":
            raise KeyboardInterrupt
        return train(config, **options)

    monkeypatch.setattr(curves, "train", interrupted)
    output = tmp_path / "curve"
    arguments = ("learning-curve", project / "linetune.yaml", "--output", output, "--sizes", "3,6")
    assert cli(*arguments).code == 130
    points = json.loads((output / "curve.json").read_text("utf-8"))["points"]
    assert [point["crops"] for point in points] == [3]
    assert (output / "3/model.safetensors").exists()


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["--sizes", "20"], "20 is not a possible size: there are 13 training crops"),
        (["--sizes", "0"], "0 is not a possible size"),
        (["--sizes", "5,many"], "'5,many' is not a list of numbers"),
        (["stages.real.data=synth"], "no stage uses training crops"),
    ],
)
def test_mistakes_are_one_line(
    project: Path, tmp_path: Path, cli: Cli, arguments: list[str], told: str
) -> None:
    output = tmp_path / "curve"
    refused = cli("learning-curve", project / "linetune.yaml", *arguments, "--output", output)
    assert refused.code == 2
    (line,) = refused.err.splitlines()
    assert told in line
    assert not output.exists()


def test_a_folder_of_something_else_is_left_alone(project: Path, tmp_path: Path, cli: Cli) -> None:
    (tmp_path / "mine.txt").write_text("mine", encoding="utf-8")
    command = ("learning-curve", project / "linetune.yaml", "--output", tmp_path, "--overwrite")
    refused = cli(*command)
    assert refused.code == 2
    assert "has files but not a learning curve" in refused.err
    assert [path.name for path in tmp_path.iterdir()] == ["mine.txt"]


def test_photos_are_drawn_instead_of_crops(tmp_path: Path) -> None:
    lines = [labelfile.Line(tmp_path / f"{i // 4}_{i}.png", "A", f"labels.txt:{i}") for i in range(40)]
    order = curves._order(lines, r"^(\d+)_", 3, Silent())
    assert sorted(order) == list(range(40))
    assert all(len({number // 4 for number in order[i : i + 4]}) == 1 for i in range(0, 40, 4))
    assert order != list(range(40))


def test_a_law_is_told_only_where_every_point_follows_it() -> None:
    falling = {100: score(0.6), 400: score(0.8), 1600: score(0.9)}
    law = power_law(falling)
    assert law is not None
    assert law.exponent == pytest.approx(0.5)
    assert law.error(6400) == pytest.approx(0.05)
    assert power_law({100: score(0.6), 400: score(0.8)}) is None, "two points are always met"
    assert power_law({100: score(0.8), 400: score(0.8), 1600: score(0.7)}) is None, "it does not fall"
    assert power_law({100: score(0.5), 400: score(0.9), 1600: score(0.9)}) is None, "it has flattened"
    assert power_law({100: score(0.9), 400: score(0.95), 1600: score(1.0)}) is None
    few = {75: score(0.67, 200), 300: score(0.75, 200), 1200: score(0.77, 200)}
    assert power_law(few) is None, "it flattens within its intervals"


def test_the_sentence_promises_only_what_follows_from_the_points(tmp_path: Path) -> None:
    points = [Point(n, "stage real", score(e), None, 1) for n, e in ((100, 0.6), (400, 0.8), (1600, 0.9))]
    told = Curve(tmp_path, points).sentence()
    assert told.startswith("From 400 to 1,600 crops, exact match on validation changed by +10.0 points.")
    assert "100 more crops give about 90.3%, and 3,200 crops give about 92.9%" in told
    assert "crops give" not in Curve(tmp_path, points[1:]).sentence()
    assert Curve(tmp_path, points[:1]).sentence() == ""


@pytest.fixture(scope="module")
def rounds(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Finished runs on 100, 200 and 400 crops, whose error halves with four times the crops."""
    folder = tmp_path_factory.mktemp("rounds")
    charset = Charset.collect(TEXTS)
    network = fold(Network(PPOCRMobile(scale=0.35), charset.classes))
    for name, crops, exact in (("third", 400, 0.8), ("first", 100, 0.6), ("second", 200, 1 - 0.4 / 2**0.5)):
        (folder / name).mkdir()
        data = {"train": {"lines": crops}, "val": {"lines": 1000, "labels": "v"}}
        model = Model(network, charset, "small", "here", provenance={"data": data})
        save_model(model, folder / name / "model.safetensors")
        row = {"name": "stage real", "val": score(exact).as_dict(), "test": None}
        (folder / name / "results.json").write_text(
            json.dumps({"rows": [row], "seconds": 1.0, "best": "stage real"})
        )
    return folder


def test_finished_runs_say_what_a_hundred_more_labels_give(rounds: Path, cli: Cli) -> None:
    found = json.loads(
        cli("learning-curve", *(str(rounds / x) for x in ("second", "third", "first")), "--json").out
    )
    assert [point["crops"] for point in found["points"]] == [100, 200, 400]
    assert "100 more crops give about 82.1%, and 800 crops give about 85.9%" in found["sentence"]
    shown = cli("learning-curve", str(rounds / "first"), str(rounds / "third")).out.split()
    assert "From 100 to 400 crops, exact match on validation changed by +20.0 points." in " ".join(shown)
    assert {path.name for path in rounds.iterdir()} == {"first", "second", "third"}, "nothing is written"


def test_runs_that_cannot_be_compared_are_named(rounds: Path, tmp_path: Path, cli: Cli) -> None:
    first, other = str(rounds / "second"), tmp_path / "other"

    def refused() -> str:
        result = cli("learning-curve", first, str(other))
        assert result.code == 2
        return result.err

    twice = cli("learning-curve", first, first)
    assert (twice.code, twice.errors) == (2, [f"error: {first}: the run is named twice; name it once"])
    shutil.copytree(first, other)
    assert f"{other}: another run has 200 training crops too" in refused()
    data = {"train": {"lines": 300}, "val": {"lines": 1000, "labels": "w"}}
    model = load_model(other / "model.safetensors")
    save_model(replace(model, provenance={"data": data}), other / "model.safetensors")
    assert f"{other}: its validation or test crops are not those of {first}" in refused()
    (other / "results.json").unlink()
    assert f"{other}: the folder has no complete run; name a folder" in refused()
    (other / "config.yaml").touch()
    assert f"{other}: the folder has no complete run; linetune train --resume {other}" in refused()
    shutil.rmtree(other)
    other.touch()
    assert f"{other}: not a folder; name a folder that" in refused()
    mixed = cli("learning-curve", str(other), first)
    assert (mixed.code, mixed.errors[0]) == (2, refused().strip()), "the order does not matter"


def test_the_picture_shows_every_point_with_its_interval(tmp_path: Path) -> None:
    points = [Point(n, "stage real", score(e), score(e - 0.02), 1) for n, e in ((50, 0.6), (400, 0.8))]
    svg = picture(Curve(tmp_path, points), Words())
    assert svg == picture(Curve(tmp_path, points), Words()), "the same curve, another picture"
    root = ET.fromstring(svg)
    for name in ("validation", "test"):
        (series,) = (group for group in root.iter() if group.get("id") == name)
        assert sum(node.tag.endswith("use") for node in series.iter()) == 2
        (intervals,) = (group for group in root.iter() if group.get("id") == f"{name} intervals")
        assert sum(node.tag.endswith("path") for node in intervals) == 2
    texts = {node.text for node in root.iter() if node.tag.endswith("text")}
    assert {"50", "400", "validation", "test", "100%", "training crops"} <= texts
    assert not any(node.tag.endswith(("script", "image")) for node in root.iter())
    ET.fromstring(picture(Curve(tmp_path, points[:1]), Words()))
