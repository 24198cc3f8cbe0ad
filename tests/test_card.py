"""The model card of a run: what it says, what it keeps to itself, and whether its code works."""

from __future__ import annotations

import json
import os
import re
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from conftest import Cli, Heard
from demo import make_run
from ruamel.yaml import YAML

from linetune.core import image
from linetune.core.charset import Charset
from linetune.evaluation.stored import FOLDER, KEPT, read_evaluations, write_evaluations
from linetune.formats.official import load_base
from linetune.formats.onnx_file import export
from linetune.formats.onnx_shape import Shape
from linetune.formats.store import load_model, save_model
from linetune.formats.transfer import with_charset
from linetune.report.card import CARD, write_card
from linetune.report.recorded import read_run
from linetune.report.run_page import write_report
from linetune.report.words import Words

NAME = "PP-OCRv5_mobile_rec"
CHARACTERS = " 0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ"
PROMISE = {"max_error": 0.01, "threshold": 0.98, "readings": 300, "accepted": 299, "wrong": 0}


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run folder with everything that a real run leaves."""
    run = make_run(tmp_path_factory.mktemp("home") / "secret", drawn=12, tested=60)
    limited = with_charset(load_base(NAME), Charset.collect([CHARACTERS])).model
    model = replace(
        limited,
        rule={"patterns": [{"pattern": "(LOT|SN) [A-Z`]{2}", "check": None}]},
        calibration={"bias": -1.0, "weights": {"text": 0.5}},
        promise=PROMISE,
        provenance={
            "base_model": NAME,
            "weights": "0f" * 16,
            "data": {"train": {"lines": 2455, "labels": "aa", "crops": "bb"}},
            "software": {"linetune": "0.1.0 (1234abcd)"},
        },
    )
    save_model(model, run / "model.safetensors")
    export(model, run / "model.onnx", [image.read(run.parent / "crops" / "00.png")])
    model.charset.write(run / "charset.txt")
    run = run.rename(run.with_name("lot_codes"))
    write_report(run, Words("zh"))
    return run


@pytest.fixture
def run(whole: Path, tmp_path: Path) -> Path:
    shutil.copytree(whole.parent, tmp_path / "copy")
    return tmp_path / "copy" / whole.name


def card_of(run: Path) -> str:
    assert write_card(read_run(run))
    return (run / CARD).read_text("utf-8")


def head_of(text: str) -> dict[str, Any]:
    _, head, _ = text.split("---\n", 2)
    found: dict[str, Any] = YAML(typ="safe").load(head)
    return found


def test_the_head_has_what_hugging_face_reads(run: Path) -> None:
    head = head_of(card_of(run))
    results = json.loads((run / "results.json").read_text("utf-8"))
    test = results["rows"][-1]["test"]
    (entry,) = head.pop("model-index")
    assert entry["name"] == "lot_codes"
    (result,) = entry["results"]
    assert result["task"]["type"] == head["pipeline_tag"] == "image-to-text"
    assert result["dataset"]["name"] == "60 test crops of the run"
    values = {metric["type"]: metric["value"] for metric in result["metrics"]}
    assert values == {"exact_match": round(test["exact_match"], 4), "cer": round(test["cer"], 4)}
    assert [*values] == head["metrics"]
    low, high = test["interval"]
    assert f"{100 * low:.1f} to {100 * high:.1f} %" in result["metrics"][0]["name"]
    assert head["license"] == "apache-2.0"
    assert head["library_name"] == "linetune"
    assert head["base_model"] == f"PaddlePaddle/{NAME}"
    assert "language" not in head, "nobody knows it"


def test_the_head_is_one_that_the_hub_accepts(run: Path) -> None:
    hub = pytest.importorskip("huggingface_hub")
    data = hub.ModelCard(card_of(run)).data
    assert {result.metric_type for result in data.eval_results} == {"exact_match", "cer"}
    assert data.model_name == "lot_codes"


def test_a_card_says_what_the_model_reads_and_how_well(run: Path) -> None:
    text = card_of(run)
    results = json.loads((run / "results.json").read_text("utf-8"))
    low, high = results["rows"][-1]["test"]["interval"]
    exact = results["rows"][-1]["test"]["exact_match"]
    assert f"| {exact:.1%} ({100 * low:.0f}–{100 * high:.0f}) |" in text
    assert (
        "37 characters of the charset:\n\n~~~text\n0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ U+0020\n~~~" in text
    )
    assert "~~~text\n(LOT|SN) [A-Z`]{2}\n~~~" in text
    assert "it reads crops as they are" in text
    for row in ("training | 2,455", "validation | 20", "test | 60", "rendered, for training | at most 2,000"):
        assert f"| {row} |" in text
    kept = read_evaluations(run / FOLDER / KEPT)["test"]
    assert f"It misreads {len(kept.misread)} of 60 test crops." in text
    assert "The model is better" in text or "no difference beyond chance" in text
    assert "accept a confidence of 0.9800 or more: at most 1% of the accepted readings are wrong" in text
    assert f"trained from  {NAME}, weights {'0f' * 16}" in text
    assert "linetune: 0.1.0 (1234abcd)" in text


def test_a_card_names_no_folder_and_no_crop(run: Path, whole: Path) -> None:
    text = card_of(run)
    for secret in (str(run.parent), str(whole.parent), str(Path.home()), "00.png", "train.txt", "Roboto"):
        assert secret not in text
    kept = read_evaluations(run / FOLDER / KEPT)["test"]
    assert not any(line.text in text for line in kept.lines), "labels are the user's"


def blocks(text: str, program: str) -> str:
    """The Python code for a program."""
    (code,) = re.findall(rf"\*\*{program}\*\*.*?```python\n(.*?)```", text, re.S)
    return str(code)


@pytest.fixture(scope="module")
def used(whole: Path, tmp_path_factory: pytest.TempPathFactory, make_crops: Callable[..., Path]) -> Path:
    """The files that a person has downloaded, one crop, and an export."""
    folder = tmp_path_factory.mktemp("downloaded")
    for name in ("model.safetensors", "model.onnx"):
        shutil.copy(whole / name, folder / name)
    crops = make_crops(folder / "drawn", ["LOT 4711"])
    (crops.parent / "00.png").rename(folder / "crop.png")
    some = [image.read(folder / "crop.png")]
    export(load_model(folder / "model.safetensors"), folder / "static.onnx", some, Shape(1, 320))
    return folder


@pytest.mark.parametrize("program", ["linetune", "RapidOCR", "OpenCV"])
def test_the_code_of_a_card_reads_a_crop(
    program: str, whole: Path, used: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(used)
    exec(compile(blocks((whole / CARD).read_text("utf-8"), program), program, "exec"), {})
    assert capsys.readouterr().out.startswith("LOT 4711")


def test_a_run_without_test_crops_says_so(run: Path) -> None:
    results = json.loads((run / "results.json").read_text("utf-8"))
    results["gain"].pop("test")
    for row in results["rows"]:
        row["test"] = None
    (run / "results.json").write_text(json.dumps(results), "utf-8")
    text = card_of(run)
    assert "model-index" not in head_of(text)
    assert "There are no test crops." in text
    assert "| test | none |" in text
    assert "of 20 validation crops" in text
    assert "test, exact match" not in text


def test_a_model_that_training_did_not_help_is_not_called_fine_tuned(run: Path) -> None:
    assert "fine-tuned with linetune" in card_of(run)
    results = json.loads((run / "results.json").read_text("utf-8"))
    results |= {"best": results["rows"][1]["name"], "gain": {}}
    (run / "results.json").write_text(json.dumps(results), "utf-8")
    text = card_of(run)
    assert "limited to its charset by linetune" in text
    assert "Training did not help" in text
    assert "limited to the charset (this model) |" in text


def test_an_old_run_folder_without_a_model_and_readings_has_a_card(run: Path) -> None:
    shutil.rmtree(run / FOLDER)
    for name in ("model.safetensors", "model.onnx", "charset.txt"):
        (run / name).unlink()
    results = json.loads((run / "results.json").read_text("utf-8"))
    for name in ("general_reading", "software", "machine", "findings", "seconds"):
        results.pop(name, None)
    (run / "results.json").write_text(json.dumps(results), "utf-8")
    text = card_of(run)
    assert "The run folder has no readings." in text
    assert "does not say which characters" in text
    assert "| training | not recorded |" in text
    assert head_of(text)["base_model"] == "PaddlePaddle/PP-OCRv6_small_rec"


def test_a_card_that_a_person_has_changed_stays(run: Path, cli: Cli) -> None:
    card = run / CARD
    before = card.read_text("utf-8")
    (run / "model.safetensors").unlink()
    assert cli("report", run).code == 0
    assert card.read_text("utf-8") != before, "linetune's own card is renewed"
    changed = before.replace("# lot\\_codes", "# Lots").replace("## Data", "Not for medicine.\n\n## Data")
    card.write_text(changed, "utf-8")
    heard = Heard()
    write_report(run, Words("en"), reporter=heard)
    assert card.read_text("utf-8") == changed
    (said,) = heard.lines
    assert said.startswith(f"{card} was changed by hand, and stays")


def test_another_page_leaves_the_card_alone(run: Path, cli: Cli, tmp_path: Path) -> None:
    (run / CARD).unlink()
    assert cli("report", run, "--output", tmp_path / "page.html").code == 0
    assert not (run / CARD).exists()


def test_what_strangers_write_does_nothing(run: Path) -> None:
    evil = "| x |\n---\n<script>alert(1)</script>`~~~~`"
    renamed = run.with_name("x: [y] <b>")
    if os.name == "posix":
        run = run.rename(renamed)
    model = load_model(run / "model.safetensors")
    rule = {"patterns": [{"pattern": "~~~~\n# evil"}]}
    save_model(replace(model, rule=rule, promise={"max_error": evil}), run / "model.safetensors")
    results = json.loads((run / "results.json").read_text("utf-8"))
    results["rows"][2]["name"] = f"stage {evil}"
    (run / "results.json").write_text(json.dumps(results), "utf-8")
    kept = read_evaluations(run / FOLDER / KEPT)["test"]
    lines = [replace(line, text=f"|`<{line.text}") for line in kept.lines]
    write_evaluations(run / FOLDER / KEPT, {"test": replace(kept, lines=lines)})
    text = card_of(run)
    assert head_of(text)["model-index"][0]["name"] == run.name
    assert "<script>" not in re.sub(r"\\<", "", text)
    assert "~~~~~text\n~~~~?# evil\n~~~~~" in text
    assert "| <code>&#124;</code> | nothing | 60 |" in text
    assert "The model holds no promise." in text


def test_a_damaged_model_file_is_one_line(run: Path, cli: Cli) -> None:
    (run / "report.html").unlink()
    (run / "model.safetensors").write_bytes(b"\x10" + bytes(7) + b"{" * 16)
    done = cli("report", run)
    assert done.code == 2
    assert len(done.errors) == 1
    assert (run / "report.html").exists()
