"""``linetune inspect``: what a model file says, and a run that is repeated from it."""

from __future__ import annotations

import json
import re
import shutil
from dataclasses import replace
from importlib import resources
from pathlib import Path
from typing import Any

import pytest
import torture
from conftest import Cli

from linetune.config.load import load
from linetune.formats.model import Model
from linetune.formats.parity import sample_crops
from linetune.formats.registry import FORMATS
from linetune.formats.store import load_model, save_model
from linetune.training.repeat import run_file
from linetune.training.run import train


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    torture.hurry(monkeypatch.setattr)


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a run whose label files all have one name."""
    project = tmp_path_factory.mktemp("secret") / "mine"
    torture.prepare(project, middle=False)
    text = (project / "linetune.yaml").read_text("utf-8")
    text = text.replace("count: 16", "count: 16, looks: [real/labels.txt], parts: {file: '[0-9]'}")
    (project / "linetune.yaml").write_text(text, encoding="utf-8")
    with pytest.MonkeyPatch.context() as patch:
        torture.hurry(patch.setattr)
        train(load(project / "linetune.yaml"), export=False)
    return project / "run"


def changed(run: Path, tmp_path: Path, **changes: Any) -> Path:
    path = tmp_path / "changed.safetensors"
    save_model(replace(load_model(run / "model.safetensors"), **changes), path)
    return path


def test_it_shows_what_a_model_says(cli: Cli, trained: Path) -> None:
    done = cli("inspect", trained)
    assert done.code == 0
    for said in (
        r"format +safetensors, fp32, \d\.\d MB",
        r"base model +tiny",
        r"family +PPLCNetV3 \(.*scale 0\.35",
        r"parameters +\d+,\d{3}",
        r"charset +14 characters: -0123456789ABC",
        r"both ways up +no",
        r"history +(stage|tiny)",
        r" +validation exact match \d+\.\d% \(\d+–\d+\)   CER \d+\.\d%   4 lines",
        r"trained from +file base\.safetensors, weights [0-9a-f]{32}",
        r"data +train: lines 8, labels [0-9a-f]{32}, crops [0-9a-f]{32}",
        r" +val: lines 4",
        r"software +linetune: ",
        r"machine +system: ",
    ):
        assert re.search(f"^{said}", done.out, re.MULTILINE), said


def test_as_json_it_has_everything(cli: Cli, trained: Path) -> None:
    about = json.loads(cli("inspect", trained, "--json").out)
    model = load_model(trained / "model.safetensors")
    assert about["provenance"] == model.provenance
    assert about["history"] == model.history
    assert "".join(about["charset"]) == "-0123456789ABC"
    assert about["bytes"] == (trained / "model.safetensors").stat().st_size
    assert about["parameters"] == sum(tensor.numel() for tensor in model.network.parameters())


def test_an_official_model_and_a_wrong_path(cli: Cli) -> None:
    done = cli("inspect", "PP-OCRv5_mobile_rec")
    assert "provenance    not in the file" in done.out
    assert re.search(r"charset +18,38\d characters: .{60,} \.\.\.$", done.out, re.MULTILINE)
    missing = cli("inspect", "no/such/model.onnx")
    assert (missing.code, len(missing.errors), missing.err.count("\n")) == (2, 1, 1)
    unknown = cli("inspect", "PP-OCRv5_mobile_rec", "--settings")
    assert "does not say with which settings the model was trained" in unknown.errors[0]


def test_the_run_is_repeated_from_the_model(cli: Cli, trained: Path, tmp_path: Path) -> None:
    settings = cli("inspect", trained, "--settings").out
    (tmp_path / "linetune.yaml").write_text(settings, encoding="utf-8")
    project = trained.parent
    hashes = load_model(trained / "model.safetensors").provenance["data"]
    assert {"train", "val", "synth"} <= hashes.keys()
    for data in hashes.values():
        assert f"labels {data['labels']}, crops {data['crops']}" in settings
    for number, name in enumerate(("real", "val"), 1):
        shutil.copytree(project / name, tmp_path / str(number))
    shutil.copy(project / "base.safetensors", tmp_path)
    shutil.copy(Path(str(resources.files("font_roboto"))) / "files" / "Roboto-Bold.ttf", tmp_path)
    result = train(load(tmp_path / "linetune.yaml"), export=False)
    assert result.model.read_bytes() == (trained / "model.safetensors").read_bytes()
    assert torture.result(result.folder)["models"] == torture.result(trained)["models"]


def test_no_file_names_a_folder_of_the_machine(trained: Path, tmp_path: Path) -> None:
    model = load_model(trained / "model.safetensors")
    for name in ("onnx", "hf", "pdparams"):
        FORMATS[name].export(model, tmp_path / f"m{FORMATS[name].ending}", sample_crops(model.charset, 2))
    folders = {*trained.parts[1:-1], *tmp_path.parts[1:], "site-packages", "font_roboto"} - {"mine", "tmp"}
    files = [trained / "model.safetensors", *(path for path in tmp_path.rglob("*") if path.is_file())]
    assert len(files) >= 8
    for path in files:
        content = path.read_bytes()
        assert not [folder for folder in folders if folder.encode() in content], path
    assert not [folder for folder in folders if folder in run_file(model)]


def test_options_without_which_nobody_could_repeat_the_run(cli: Cli, trained: Path, tmp_path: Path) -> None:
    known = load_model(trained / "model.safetensors").provenance
    options = {"skip_bad": True, "within": 60.0}
    path = changed(trained, tmp_path, provenance={**known, "options": options})
    settings = cli("inspect", path, "--settings").out
    assert "# The run had the option --skip-bad" in settings
    assert "# The run had 60.0 seconds (--within)." in settings


def test_files_without_a_suffix_stay_files(model_of: Any, tmp_path: Path) -> None:
    config = settings_of(
        model_of,
        tmp_path,
        base_file={"file": "first"},
        charset={"file": "auto"},
        data={"train": [{"file": "labels"}], "val": [{"file": "labels", "number": 2}], "test": None},
        stages=[{"name": "a", "data": ["train", {"file": "more"}]}],
    )
    assert config.base_model == str(tmp_path / "first")
    assert config.charset == tmp_path / "auto"
    assert (config.data.train, config.data.val) == ([tmp_path / "1/labels"], [tmp_path / "2/labels"])
    assert config.stages[0].data == ["train", tmp_path / "more"]


def settings_of(model: Model, folder: Path, **record: Any) -> Any:
    base = {key: record.pop(key) for key in ("base_file",) if key in record}
    path = folder / "linetune.yaml"
    path.write_text(run_file(replace(model, provenance={**base, "settings": record})), encoding="utf-8")
    return load(path)


@pytest.fixture(scope="module")
def model_of(trained: Path) -> Model:
    return load_model(trained / "model.safetensors")


def test_a_strangers_record_cannot_write_to_the_terminal_or_the_run_file(
    cli: Cli, trained: Path, tmp_path: Path
) -> None:
    evil = "\x1b[2J\nseed: 7\ud800"
    record = {
        "weights": [evil],
        "data": {evil: evil},
        "software": evil,
        "options": [1],
        "settings": {
            "seed": 1,
            "device": evil,
            "output": "/etc",
            "data": {"train": [{"file": "../../up/labels.txt"}]},
        },
    }
    path = changed(trained, tmp_path, provenance=record, history={"name": evil, "val": evil, "test": 5})
    for options in ([], ["--settings"]):
        done = cli("inspect", path, *options)
        assert (done.code, done.err) == (0, "")
        assert "\x1b" not in done.out
        assert not re.search("^seed: 7", done.out, re.MULTILINE)
    assert "output: repeated" in done.out
    assert "- labels.txt" in done.out


def test_a_record_that_is_too_deep_is_one_clear_error(cli: Cli, trained: Path, tmp_path: Path) -> None:
    record: Any = {}
    for _ in range(200):
        record = {"a": [record, "text", 10**400]}
    path = changed(trained, tmp_path, provenance=record)
    for option in ([], ["--json"], ["--settings"]):
        done = cli("inspect", path, *option)
        assert (done.code, done.out) == (2, "")
        assert len(done.errors) == 1
        assert "the header's 'provenance' is missing or damaged; copy the file again" in done.err


def test_another_charset_than_that_of_the_training_is_said(cli: Cli, trained: Path, tmp_path: Path) -> None:
    known = load_model(trained / "model.safetensors").provenance
    path = changed(trained, tmp_path, provenance={**known, "charset": "9f"})
    assert "the charset was changed after the training" in cli("inspect", path).out
    assert "the charset was changed" not in cli("inspect", trained).out
