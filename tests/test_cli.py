from __future__ import annotations

import io
import json
import os
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Callable
from importlib import resources
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from conftest import Cli, Screen

from linetune.cli import main
from linetune.config import load
from linetune.core import image, labelfile
from linetune.core.charset import Charset
from linetune.formats.model import Model
from linetune.formats.registry import Format
from linetune.formats.store import save_model
from linetune.models.families.pp_ocr_mobile import PPOCRMobile
from linetune.models.layers.reparam import fold
from linetune.models.network import Network
from linetune.report.terminal import terminal

NAME = "PP-OCRv5_mobile_rec"
TEXTS = ["LOT 4711", "2026-10-31", "SERIAL 88"]
COMMANDS = [
    "init",
    "from-paddle",
    "models",
    "doctor",
    "import",
    "check",
    "suspects",
    "review",
    "split",
    "rule",
    "synth",
    "train",
    "watch",
    "learning-curve",
    "report",
    "evaluate",
    "compare",
    "calibrate",
    "threshold",
    "predict",
    "drift",
    "export",
    "inspect",
    "push",
]


@pytest.fixture(scope="module")
def labels(tmp_path_factory: pytest.TempPathFactory, make_crops: Callable[..., Path]) -> Path:
    return make_crops(tmp_path_factory.mktemp("crops"), TEXTS)


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model file that answers every frame with a character outside ASCII."""
    torch.manual_seed(0)
    charset = Charset(("线", "é"))
    network = fold(Network(PPOCRMobile(scale=0.35), charset.classes))
    with torch.no_grad():
        network.head.fc.bias.copy_(torch.tensor([-50.0, 50.0, -50.0]))
    path = tmp_path_factory.mktemp("modèle 线") / "model.safetensors"
    save_model(Model(network, charset, NAME, "here"), path)
    return path


# Help


def test_help_shows_every_command_and_imports_no_torch() -> None:
    code = (
        "import sys; from linetune.cli import main; sys.argv = ['linetune', '--help']\n"
        "try: main()\nexcept SystemExit as end: assert not end.code\n"
        "assert 'torch' not in sys.modules and 'onnx' not in sys.modules"
    )
    environment = os.environ | {"COLUMNS": "100", "PYTHONIOENCODING": "utf-8", "NO_COLOR": "1"}
    done = subprocess.run([sys.executable, "-c", code], check=False, capture_output=True, env=environment)
    assert done.returncode == 0, done.stderr.decode()
    shown = done.stdout.decode("utf-8")
    for panel in ("Set up", "Data", "Train", "Measure and use"):
        assert f"─ {panel} ─" in shown
    rows = [line.strip("│ ").split(" ")[0] for line in shown.splitlines() if line.startswith("│")]
    assert [row for row in rows if row in COMMANDS] == COMMANDS


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_explains_itself(cli: Cli, command: str) -> None:
    done = cli(command, "--help")
    assert done.code == 0
    assert f"Usage: linetune {command}" in done.out.replace("\x1b[0m", "")


def test_an_unknown_option_is_a_mistake_of_the_user(cli: Cli) -> None:
    done = cli("train", "linetune.yaml", "--overwite")
    assert done.code == 2
    assert done.err.startswith("error: linetune train: no such option: --overwite")
    assert "--overwrite" in done.err
    assert done.err.count("\n") == 1


def test_a_number_out_of_range_is_one_line(cli: Cli) -> None:
    done = cli("synth", "linetune.yaml", "-n", "0")
    assert done.code == 2
    assert "'-n'" in done.err
    assert done.err.count("\n") == 1


def test_no_command_shows_the_help(cli: Cli) -> None:
    done = cli()
    assert done.code == 2
    assert "Usage: linetune" in done.out.replace("\x1b[0m", "")
    assert not done.err


# init, models


def test_init_writes_a_file_that_can_be_loaded(cli: Cli, tmp_path: Path) -> None:
    folder = tmp_path / "new" / "project"
    done = cli("init", folder)
    assert done.code == 0
    assert str(folder / "linetune.yaml") in done.out
    config = load(folder / "linetune.yaml")
    assert [stage.name for stage in config.stages] == ["head", "real"]
    assert config.base_model == "PP-OCRv6_small_rec"
    assert config.output.is_relative_to(folder.resolve())
    assert config.synth is not None
    assert config.synth.fonts == [(folder / "fonts").resolve()]
    assert (folder / "fonts").is_dir()
    assert config.data.train[0].parent.is_dir()


def test_the_next_command_can_be_typed_as_it_stands(cli: Cli, tmp_path: Path) -> None:
    last = cli("init", tmp_path / "it's my folder").out.splitlines()[-1]
    assert shlex.split(last) == ["linetune", "train", str(tmp_path / "it's my folder" / "linetune.yaml")]


def test_init_replaces_nothing(cli: Cli, tmp_path: Path) -> None:
    (tmp_path / "linetune.yaml").write_text("mine", encoding="utf-8")
    done = cli("init", tmp_path)
    assert (done.code, len(done.errors), done.out) == (2, 1, "")
    assert (tmp_path / "linetune.yaml").read_text("utf-8") == "mine"
    (tmp_path / "file").write_text("x", encoding="utf-8")
    assert cli("init", tmp_path / "file").code == 2


def test_models_lists_the_official_ones(cli: Cli) -> None:
    (row,) = [row for row in json.loads(cli("models", "--json").out) if row["name"] == NAME]
    assert row["characters"] == 18384
    assert 3e6 < row["parameters"] < 6e6
    assert row["url"].startswith("https://")
    assert Path(row["weights"]).is_file()
    assert NAME in cli("models").out


def test_models_whose_dictionary_does_not_ship_are_known_by_name(cli: Cli) -> None:
    rows = {row["name"]: row for row in json.loads(cli("models", "--json").out)}
    for name in ("en_PP-OCRv5_mobile_rec", "korean_PP-OCRv5_mobile_rec", "PP-OCRv6_tiny_rec"):
        assert (rows[name]["characters"], rows[name]["parameters"]) == (None, None)
        assert rows[name]["url"].endswith(f"/{name}_infer.tar")
    english = rows["en_PP-OCRv5_mobile_rec"]
    known = rows[NAME]
    assert english["parameters_without_characters"] == known["parameters_without_characters"]
    grown = 18384 * known["parameters_per_character"] + known["parameters_without_characters"]
    assert grown == known["parameters"]
    assert "in its files" in cli("models").out


def test_models_are_timed_when_asked(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("linetune.models.network.seconds_a_crop", lambda *kind: 0.0123)
    assert all(row["milliseconds"] == 12.3 for row in json.loads(cli("models", "--speed", "--json").out))
    assert "12.3" in cli("models", "--speed").out


# check, split


def test_check_counts_by_kind_and_fails_on_errors_only(cli: Cli, labels: Path, tmp_path: Path) -> None:
    clean = cli("check", labels)
    assert clean.code == 0
    assert clean.out == "0 errors, 0 warnings in 3 labels lines\n"
    train = tmp_path / "train.txt"
    crop = labels.parent / "00.png"
    train.write_text(f"{crop}\tL:x:4711 \n{labels.parent / '01.png'}\tОK 线\n", encoding="utf-8")
    warned = cli("check", train)
    assert warned.code == 0
    assert "warning: labels with a space at an end: 1 (edge-space)" in warned.out
    assert f"  {train}:1: 'L:x:4711 ' begins or ends with a space" in warned.out
    labelfile.write_labels(tmp_path / "test.txt", [(str(crop), "LOT 4711")])
    failed = cli("check", train, tmp_path / "test.txt", "--json")
    assert failed.code == 1
    told = json.loads(failed.out)
    assert (told["lines"], told["errors"]) == (3, 1)
    (leak,) = [finding for finding in told["findings"] if finding["severity"] == "error"]
    assert (leak["kind"], leak["source"]) == ("leak", f"{train}:1")
    assert leak["other"] == f"{tmp_path / 'test.txt'}:1"
    assert told["kinds"]["lookalike"] == 1


def charset_file(folder: Path, characters: str) -> Path:
    path = folder / "charset.txt"
    Charset(tuple(dict.fromkeys(characters))).write(path)
    return path


def test_check_of_a_configuration_knows_its_splits_charset_and_rule(
    cli: Cli, labels: Path, tmp_path: Path
) -> None:
    for name, number in (("train", 0), ("val", 1), ("test", 2)):
        labelfile.write_labels(tmp_path / f"{name}.txt", [(str(labels.parent / f"{number:02}.png"), "LOT-1")])
    config = tmp_path / "linetune.yaml"
    config.write_text(
        "output: run\ncharset: charset.txt\ndata: {train: train.txt, val: val.txt, test: test.txt}\n"
        "synth: {rule: 'LOT-[1-5]', fonts: fonts, output: synth}\n"
        "stages: [{name: real, data: train, epochs: 1, learning_rate: 1e-4}]\n",
        encoding="utf-8",
    )
    charset_file(tmp_path, "LOT-1")
    assert cli("check", config).out == "0 errors, 0 warnings in 1 train, 1 val, 1 test lines\n"
    told = json.loads(cli("check", config, "synth.rule=LOT-[2-5]", "--json").out)
    assert told["kinds"] == {"rule": 3}
    charset_file(tmp_path, "LOT1")
    strict = cli("check", config)
    assert strict.code == 1
    assert "charset: 1 (charset)\n  '-' in 3\n" in strict.out
    assert f"{tmp_path / 'train.txt'}:1: '-' not in the charset: 'LOT-1'" in strict.out


def test_a_label_file_in_gbk_is_refused_with_the_command_that_converts_it(
    cli: Cli, labels: Path, tmp_path: Path
) -> None:
    train, config = tmp_path / "my train.txt", tmp_path / "linetune.yaml"
    crops = [labels.parent / f"{number:02}.png" for number in range(2)]
    train.write_bytes(f"{crops[0]}\tLOT 4711\n{crops[1]}\t线 2\n".encode("gbk"))
    config.write_text(
        f"output: run\ndata: {{train: my train.txt, val: '{labels}'}}\n"
        "stages: [{name: real, data: train, epochs: 1, learning_rate: 1e-4}]\n",
        encoding="utf-8",
    )
    hint = f"linetune import '{train}' --to DIR writes it as UTF-8"
    told = f"error: {train}:2: not UTF-8 but GBK; "
    for command in (("train", config), ("split", train, "--to", tmp_path)):
        done = cli(*command)
        assert (done.code, done.out) == (2, "")
        assert done.errors == [told + hint]
    for given in (train, config):
        checked = cli("check", given, "--json")
        finding = json.loads(checked.out)["findings"][0]
        assert (checked.code, finding["kind"], finding["source"]) == (1, "encoding", f"{train}:2")
        assert (finding["message"], finding["hint"]) == ("not UTF-8 but GBK", hint)
    program, *way_out = shlex.split(done.errors[0].removeprefix(told).removesuffix(" writes it as UTF-8"))
    assert program == "linetune"
    assert cli(*(tmp_path / "new" if word == "DIR" else word for word in way_out)).code == 0
    texts = [line.text for line in labelfile.read_labels(tmp_path / "new" / "labels.txt")]
    assert texts == ["LOT 4711", "线 2"]
    train.write_bytes("a.png\t线线线线线线\n".encode() + b"b.png\t\xe9\n")
    assert (
        "not UTF-8; the rest is UTF-8, so these bytes are damaged: write their text again"
        in cli("check", train).out
    )


def test_check_tells_wrong_check_digits(
    cli: Cli, labels: Path, tmp_path: Path, make_crops: Callable[..., Path]
) -> None:
    train = make_crops(tmp_path / "train", ["LOT-18", "LOT-19", "LOT-2"])
    config = tmp_path / "linetune.yaml"
    config.write_text(
        f"output: run\ndata: {{train: '{train}', val: '{labels}'}}\n"
        "synth:\n  rule: [{pattern: '{lot}', check: luhn}]\n  parts: {lot: 'LOT-[0-9]{2}'}\n"
        "  texts: like_labels\n  fonts: fonts\n  output: synth\n"
        "stages: [{name: real, data: train, epochs: 1, learning_rate: 1e-4}]\n",
        encoding="utf-8",
    )
    told = cli("check", config).out
    assert f"{train}:2: 'LOT-19' has a wrong check digit, luhn gives 'LOT-18'" in told
    assert f"{train}:3: 'LOT-2' does not follow the rule" in told
    assert f"{train}:1: 'LOT-18' " not in told


def test_check_writes_a_cleaned_copy(cli: Cli, labels: Path, tmp_path: Path) -> None:
    train = tmp_path / "train.txt"
    train.write_text(f"{labels.parent / '00.png'}\t LOT 4711\nnone.png\tA\n", encoding="utf-8")
    done = cli("check", train, "--fix", tmp_path / "clean")
    assert done.code == 1
    assert "left out 1:" in done.out
    assert f"{train}:1: ' LOT 4711' became 'LOT 4711'" in done.out
    assert f"wrote {tmp_path / 'clean'} with 1 train lines" in done.out
    assert cli("check", tmp_path / "clean" / "train.txt").code == 0
    assert json.loads(cli("check", train, "--fix", tmp_path / "two", "--json").out)["fixed"]["kept"] == {
        "train": 1
    }


@pytest.mark.parametrize("encoding", ["ascii", "gbk"])
def test_check_and_split_on_a_plain_console(labels: Path, tmp_path: Path, encoding: str) -> None:
    folder = tmp_path / "my crops 线é"
    folder.mkdir()
    for number in range(3):
        shutil.copyfile(labels.parent / f"{number:02}.png", folder / f"{number} 线\U0001f600.png")
    file = folder / "labels 线.txt"
    labelfile.write_labels(file, [(f"{number} 线\U0001f600.png", f"线é {number}") for number in range(3)])
    environment = os.environ | {"PYTHONIOENCODING": encoding}
    for command in (["check", str(file)], ["split", str(file), "--to", str(folder / "new")]):
        done = subprocess.run(
            [sys.executable, "-m", "linetune", *command], check=False, capture_output=True, env=environment
        )
        assert (done.returncode, done.stderr) == (0, b"")
    assert len(labelfile.read_labels(folder / "new" / "train.txt")) == 1


def test_split_writes_three_files_and_says_what_it_could_not_balance(
    cli: Cli, labels: Path, tmp_path: Path
) -> None:
    done = cli("split", labels, "--to", tmp_path / "new", "--val", "0.3", "--test", "0.3")
    assert done.code == 0
    assert f"wrote {tmp_path / 'new' / 'val.txt'}: lines 1, groups 1" in done.out
    assert "not balanced: 'O' is in only one group" in done.out
    assert "cannot be compared" not in done.out
    again = cli("split", labels, "--to", tmp_path / "new")
    assert again.code == 2
    assert "the label file already exists" in again.errors[0]
    told = json.loads(cli("split", labels, "--to", tmp_path / "new", "--overwrite", "--json").out)
    assert {name: split["lines"] for name, split in told["splits"].items()} == {
        "train": 1,
        "val": 1,
        "test": 1,
    }
    assert told["unreadable"] == []


def test_split_tells_of_images_that_it_cannot_compare(cli: Cli, labels: Path, tmp_path: Path) -> None:
    lost = copied(labels, tmp_path / "lost.txt")
    lost.write_text(lost.read_text("utf-8").replace("00.png", "none.png"), "utf-8")
    done = cli("split", lost, "--to", tmp_path / "new", "--val", "0.3", "--test", "0.3")
    assert f"cannot be compared with others: 1, the first: {lost}:1: image not found" in done.out
    told = json.loads(cli("split", lost, "--to", tmp_path / "new", "--overwrite", "--json").out)["unreadable"]
    assert [row.partition(": ")[0] for row in told] == [f"{lost}:1"]


# evaluate


def copied(labels: Path, to: Path) -> Path:
    labelfile.write_labels(to, [(str(line.image), line.text) for line in labelfile.read_labels(labels)])
    return to


def test_evaluate_a_base_model_limited_to_the_labels(cli: Cli, labels: Path, tmp_path: Path) -> None:
    done = cli("evaluate", NAME, labels, "--charset", "auto", "--json")
    assert done.code == 0
    figures = json.loads(done.out)
    assert figures["lines"] == 3
    assert figures["exact_match"] >= 2 / 3
    assert figures["cer"] < 0.2
    assert len(figures["misread"]) == 3 - round(3 * figures["exact_match"])
    text = cli("evaluate", NAME, labels, copied(labels, tmp_path / "more.txt"), "--charset", "auto").out
    assert "exact match" in text
    assert "6 lines" in text
    twice = cli("evaluate", NAME, labels, labels.parent / "." / labels.name)
    assert (twice.code, twice.errors) == (
        2,
        [f"error: {labels}: the label file is listed twice; list it once: its crops count twice"],
    )


def test_texts_that_look_the_same_are_told_apart(cli: Cli, labels: Path, tmp_path: Path) -> None:
    image = labelfile.read_labels(labels)[0].image
    other = tmp_path / "cyrillic.txt"
    labelfile.write_labels(other, [(str(image), "L\u041eT 4711")])
    assert r"'L\u041eT 4711' read as 'LOT 4711'" in cli("evaluate", NAME, other).out
    both = tmp_path / "both.txt"
    labelfile.write_labels(both, [(str(image), "L\u041eT 4711"), (str(image), "LOT 4711")])
    assert rf"as {both}:1, but labelled 'LOT 4711' instead of 'L\u041eT 4711'" in cli("check", both).out


def test_evaluate_shows_what_was_misread(cli: Cli, labels: Path, small: Path) -> None:
    done = cli("evaluate", small, labels)
    assert done.code == 0
    assert "exact match 0.0%" in done.out
    assert "3 misread" in done.out
    assert "'LOT 4711' read as '线'" in done.out
    assert "  all readings: 100% of the crops, 0 of 3 right, 0.0% (0–56)" in done.out.splitlines()
    told = cli("evaluate", small, labels, "--accept", "0.5").out.splitlines()
    assert sum(" of the crops, " in line for line in told) == 1
    refused = cli("evaluate", small, labels, "--accept", "1.5")
    assert (refused.code, len(refused.errors)) == (2, 1)
    figures = json.loads(cli("evaluate", small.parent, labels, "--json").out)
    misread, surest = figures["misread"], figures["accepted"]
    assert surest[-1]["lines"] == 3
    assert surest[0]["confidence"] >= surest[-1]["confidence"]
    assert [row["text"] for row in misread] == TEXTS
    assert misread[0]["read"] == "线"


def test_evaluate_writes_a_page_of_what_was_misread(
    cli: Cli, labels: Path, small: Path, tmp_path: Path
) -> None:
    page = tmp_path / "errors.html"
    done = cli("evaluate", small, labels, "--errors", page, "--lang", "zh")
    assert done.out.splitlines()[-1] == f"wrote {page}"
    html = page.read_text("utf-8")
    assert html.count("<img") == 3
    assert "整行准确率 0.0% (0–56)" in html
    assert f"{labels}:3" in html
    refused = cli("evaluate", small, labels, "--errors", page)
    assert refused.errors == [f"error: {page}: the file already exists; --overwrite replaces it"]
    again = cli("evaluate", small, labels, "--errors", page, "--overwrite", "--json")
    confused = json.loads(again.out)["confusions"]
    assert {"text": "L", "read": "线", "times": 1} in confused or confused[0]["read"] in ("", "线")
    nowhere = cli("evaluate", small, labels, "--errors", tmp_path / "none" / "errors.html")
    assert (nowhere.code, len(nowhere.errors)) == (2, 1)


ODD_TEXTS = ("[red]A[/red]", ":smile:", "[/]", "\\[b]")


def test_labels_are_printed_as_they_are(cli: Cli, labels: Path, small: Path, tmp_path: Path) -> None:
    odd = tmp_path / "odd.txt"
    labelfile.write_labels(odd, [(str(labels.parent / "00.png"), text) for text in ODD_TEXTS])
    for command in (("evaluate", small, odd), ("check", odd, "--rule", "x")):
        done = cli(*command)
        assert all(repr(text) in done.out for text in ODD_TEXTS), done.out
    say = io.StringIO()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "stderr", say)
        with terminal() as reporter:
            reporter.say(" ".join(ODD_TEXTS))
    assert say.getvalue().endswith(f"  {' '.join(ODD_TEXTS)}\n")  # after the time


def test_a_progress_bar_shows_names_as_they_are(monkeypatch: pytest.MonkeyPatch) -> None:
    class Screen(io.StringIO):
        def isatty(self) -> bool:
            return True

    monkeypatch.setattr(sys, "stderr", screen := Screen())
    monkeypatch.setenv("TERM", "xterm")
    with terminal() as reporter:
        reporter.progress("[red] :smile:", 1, 2, "[/] best")
    assert "[red] :smile:" in screen.getvalue()
    assert "[/] best" in screen.getvalue()


def test_evaluate_without_bad_lines(cli: Cli, labels: Path, small: Path, tmp_path: Path) -> None:
    more = tmp_path / "more.txt"
    more.write_text(f"{labels.parent / '00.png'}\tA\nnone.png\tB\n", encoding="utf-8")
    refused = cli("evaluate", small, more)
    assert refused.code == 2
    assert f"{more}:2: image not found" in refused.err
    assert "--skip-bad" in refused.err
    figures = json.loads(cli("evaluate", small, more, "--skip-bad", "--json").out)
    assert (figures["lines"], figures["skipped"]) == (1, 1)


# compare


def test_compare_two_models_on_the_same_crops(cli: Cli, labels: Path, small: Path, tmp_path: Path) -> None:
    more = [copied(labels, tmp_path / f"{number}.txt") for number in range(2)]
    done = cli("compare", small, NAME, labels, *more)
    assert done.code == 0
    told = done.out.splitlines()
    assert told[0].startswith("A  exact match 0.0% (0–30)")
    assert str(small) in told[0]
    assert told[1].startswith("B  exact match ")
    assert "+" in told[2]
    assert told[3].startswith("B is better: ")
    assert f"  {labels}:2  '2026-10-31'  A '线'  B '2026-10-31'" in told
    figures = json.loads(cli("compare", NAME, small, labels, "--json").out)
    assert figures["a"]["model"] == NAME
    assert figures["difference"] == pytest.approx(-figures["a"]["exact_match"])
    assert figures["only_a"] == len(figures["only_one_reads"]) > 0
    assert figures["p_value"] > 0.05
    assert figures["sentence"].startswith("no difference beyond chance on 3 crops")
    assert {crop["right"] for crop in figures["only_one_reads"]} == {"A"}
    missing = cli("compare", small, small.parent / "none", labels)
    assert (missing.code, len(missing.errors)) == (2, 1)
    unlabelled = cli("compare", small, NAME)
    assert unlabelled.errors == ["error: linetune compare: no label files; name some after the models"]


def test_compare_shows_the_crops_that_only_some_models_read(
    cli: Cli, labels: Path, small: Path, tmp_path: Path
) -> None:
    page = tmp_path / "page.html"
    other = tmp_path / "other.safetensors"
    other.write_bytes(small.read_bytes())
    done = cli("compare", small, NAME, other, labels, "--html", page, "--lang", "zh")
    assert done.code == 0, done.err
    told = done.out.splitlines()
    assert f"wrote {page}" == told[-1]
    assert any(line.startswith("C - A  +0.0 points") for line in told)
    text = page.read_text("utf-8")
    assert "3 个模型，3 张图像。" in text
    assert "B 更好：只有 B 识别正确的" in text or "3 张图像上差异不显著：只有 B 识别正确的" in text
    assert text.count("<img") == text.count(f"{labels}:") > 0
    assert "平均每二十次检验" in text
    again = cli("compare", small, NAME, labels, "--html", page)
    assert again.errors == [f"error: {page}: the file already exists; --overwrite replaces it"]


# predict


def test_predict_reads_files_and_folders(cli: Cli, labels: Path, small: Path) -> None:
    done = cli("predict", small, labels.parent, labels.parent / "02.png")
    assert done.code == 0
    rows = [line.split("\t") for line in done.out.splitlines()]
    assert [Path(row[0]).name for row in rows] == ["00.png", "01.png", "02.png", "02.png"]
    assert {row[1] for row in rows} == {"线"}
    assert all(0 <= float(row[2]) <= 1 for row in rows)
    as_json = json.loads(cli("predict", small, labels.parent / "01.png", "--json").out)
    assert as_json[0].keys() == {"image", "text", "confidence"}
    assert as_json[0]["text"] == "线"


def test_a_folder_that_is_missing_is_not_called_an_image(cli: Cli, small: Path, tmp_path: Path) -> None:
    missing = tmp_path / "crops" / "images"
    done = cli("predict", small, missing)
    assert (done.code, done.errors) == (2, [f"error: {missing}: no such file or folder"])


def test_whole_photos_are_read_with_one_warning(cli: Cli, labels: Path, small: Path, tmp_path: Path) -> None:
    sizes = {
        "photo": (480, 640),
        "tall": (1600, 900),
        "line": (200, 640),
        "plate": (300, 600),
        "column": (900, 200),
    }
    for name, (height, width) in sizes.items():
        image.write(tmp_path / f"{name}.png", np.full((height, width, 3), 200, np.uint8))
    done = cli("predict", small, tmp_path)
    assert len(done.out.splitlines()) == 5
    (line,) = done.err.splitlines()
    assert line.endswith(
        "warning: 2 of 5 images look like whole photos, not like crops of one text line: photo.png, "
        "tall.png; cut out the lines first (linetune import does it where they are labelled)"
    )
    assert "photos" not in cli("predict", small, labels.parent).err
    assert not cli("predict", small, tmp_path, "--quiet").err


def test_predict_limited_to_a_charset_file(cli: Cli, labels: Path, tmp_path: Path) -> None:
    digits = tmp_path / "digits.txt"
    Charset(tuple("0123456789-\U0001d49c")).write(digits)
    done = cli("predict", NAME, labels.parent / "01.png", "--charset", digits)
    assert done.out.split("\t")[1] == "2026-10-31"
    assert "never seen" in done.err
    assert "U+1D49C" in done.err


def named_strangely(labels: Path, folder: Path) -> Path:
    crop = folder / "crop-é-线-\U0001f600.png"
    crop.write_bytes((labels.parent / "00.png").read_bytes())
    return crop


@pytest.mark.parametrize("kind", [io.BytesIO, Screen])
@pytest.mark.parametrize("encoding", ["ascii", "gbk", "cp1252", "utf-8"])
def test_a_file_gets_utf_8_and_a_terminal_what_it_can_show(
    small: Path,
    labels: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    encoding: str,
    kind: type[io.BytesIO],
) -> None:
    crop = named_strangely(labels, tmp_path)
    shown, told = (io.TextIOWrapper(kind(), encoding, "strict") for _ in range(2))
    monkeypatch.setattr(sys, "stdout", shown)
    monkeypatch.setattr(sys, "stderr", told)
    monkeypatch.setenv("TERM", "dumb")
    for path, code in ((crop, 0), (tmp_path / "线.png", 2)):
        monkeypatch.setattr(sys, "argv", ["linetune", "predict", str(small), str(path)])
        with pytest.raises(SystemExit) as caught:
            main()
        assert (caught.value.code or 0) == code
    out, err = (stream.buffer for stream in (shown, told))
    assert isinstance(out, io.BytesIO)
    assert isinstance(err, io.BytesIO)
    shown.flush()
    told.flush()
    written = encoding if kind is Screen else "utf-8"

    def shown_as(what: str) -> str:
        return what.encode(written, "backslashreplace").decode(written)

    place, text, confidence = out.getvalue().decode(written).rstrip("\r\n").split("\t")
    assert (place, text) == (shown_as(str(crop)), shown_as("线"))
    assert float(confidence) > 0
    line = err.getvalue().decode(written).splitlines()[-1]
    assert line.startswith(f"error: {shown_as(str(tmp_path / '线.png'))}")
    assert line.endswith(".png: image not found")


@pytest.mark.skipif(sys.platform != "linux", reason="names are Unicode there")
def test_a_name_that_is_not_utf_8_is_printed_as_it_is(small: Path, labels: Path, tmp_path: Path) -> None:
    crop = os.fsencode(tmp_path) + b"/\xe9.png"
    Path(os.fsdecode(crop)).write_bytes((labels.parent / "00.png").read_bytes())
    command = [sys.executable, "-m", "linetune", "predict", str(small), os.fsdecode(crop)]
    done = subprocess.run(command, check=True, capture_output=True)
    assert done.stdout.startswith(crop + b"\t")


def test_what_can_be_read_is_printed_beside_what_cannot(
    cli: Cli, small: Path, labels: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "in"
    (folder / "sub").mkdir(parents=True)
    crop = (labels.parent / "00.png").read_bytes()
    for name in ("b.png", "sub/a.PNG", "._b.png"):
        (folder / name).write_bytes(crop)
    (folder / "empty.png").touch()
    (folder / "notes.txt").touch()
    done = cli("predict", small, folder)
    assert done.code == 1
    assert [row.split("\t")[0] for row in done.out.splitlines()] == [
        str(folder / "b.png"),
        str(folder / "sub" / "a.PNG"),
    ]
    assert done.errors == [f"error: {folder / 'empty.png'}: image file is empty"]
    assert "1 of 3 images cannot be read" in done.err
    assert f"left out 1 file whose name is not that of an image, such as {folder / 'notes.txt'}" in done.err
    as_json = json.loads(cli("predict", small, folder, "--json").out)
    assert [each.get("error") for each in as_json] == [None, "image file is empty", None]
    (tmp_path / "nothing").mkdir()
    done = cli("predict", small, folder / "b.png", tmp_path / "nothing", "x" * 5000)
    assert (done.code, len(done.out.splitlines())) == (1, 1)
    assert f"error: {tmp_path / 'nothing'}: no images in this folder" in done.errors[0]
    (folder / "sub" / "a.PNG").unlink()
    (folder / "b.png").write_bytes(b"x")
    refused = cli("predict", small, folder)
    assert (refused.code, refused.out) == (2, "")


@pytest.mark.skipif(sys.platform == "win32", reason="no tab in a file's name there")
def test_a_tab_in_a_name_is_told_rather_than_printed(
    cli: Cli, small: Path, labels: Path, tmp_path: Path
) -> None:
    crop = tmp_path / "a\tb.png"
    crop.write_bytes(labelfile.read_labels(labels)[0].image.read_bytes())
    refused = cli("predict", small, crop)
    assert refused.code == 2
    assert not refused.out
    assert "--json" in refused.err
    beside = cli("predict", small, crop, labels.parent / "00.png")
    assert (beside.code, len(beside.out.splitlines())) == (1, 1)
    assert json.loads(cli("predict", small, crop, "--json").out)[0]["text"] == "线"


def test_the_program_itself_runs_on_a_plain_console(small: Path, labels: Path, tmp_path: Path) -> None:
    crop = named_strangely(labels, tmp_path)
    command = [sys.executable, "-m", "linetune", "predict", str(small), str(crop)]
    environment = os.environ | {"PYTHONIOENCODING": "ascii"}
    done = subprocess.run(command, check=False, capture_output=True, env=environment)
    assert done.returncode == 0, done.stderr
    assert done.stdout.decode("utf-8").split("\t")[1] == "线"
    assert done.stderr == b""


# export


def test_export_writes_beside_the_model_and_compares_on_given_crops(
    cli: Cli, small: Path, labels: Path, tmp_path: Path
) -> None:
    (tmp_path / "model.safetensors").write_bytes(small.read_bytes())
    done = cli("export", tmp_path, "--compare-on", labels, "--json")
    assert done.code == 0
    figures = json.loads(done.out)
    assert Path(figures["path"]) == tmp_path / "model.onnx"
    assert figures["crops"] == 3
    assert figures["largest_difference"] < 1e-3
    text = cli("export", small, "--output", tmp_path / "other.onnx").out
    assert str(tmp_path / "other.onnx") in text
    (tmp_path / "other.onnx").write_bytes(b"mine")
    for arguments in ((small, "--output", tmp_path / "other.onnx"), (tmp_path / "model.onnx",)):
        again = cli("export", *arguments)
        assert again.code == 2
        assert again.errors[0].endswith(".onnx: the file already exists; --overwrite replaces it")
    assert (tmp_path / "other.onnx").read_bytes() == b"mine"
    assert cli("export", small, "--output", tmp_path / "other.onnx", "--overwrite").code == 0
    assert (tmp_path / "other.onnx").read_bytes() == (tmp_path / "model.onnx").read_bytes()


def test_export_for_transformers_is_a_folder(cli: Cli, small: Path, labels: Path, tmp_path: Path) -> None:
    (tmp_path / "model.safetensors").write_bytes(small.read_bytes())
    done = cli("export", tmp_path, "--format", "hf", "--compare-on", labels, "--json")
    assert done.code == 0, done.err
    figures = json.loads(done.out)
    folder = tmp_path / "model-hf"
    assert Path(figures["path"]) == folder
    assert figures["crops"] == 3
    assert {path.name for path in folder.iterdir()} == {
        "config.json",
        "preprocessor_config.json",
        "model.safetensors",
    }
    again = cli("export", tmp_path, "--format", "hf")
    assert again.code == 2
    assert again.errors[0].endswith("model-hf: the folder already exists; --overwrite replaces it")
    crop = labels.parent / "00.png"
    assert cli("predict", folder, crop).out == cli("predict", small, crop).out


def test_export_writes_all_the_formats_there_are(
    cli: Cli, small: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Format, "available", property(lambda form: form.package is None))
    folder = tmp_path / "out"
    done = cli("export", small, "--format", "all", "--output", folder)
    assert done.code == 0
    assert "left out paddle: pip install linetune[paddle]" in done.out
    written = {f"{small.stem}{ending}" for ending in (".onnx", "-hf", ".pdparams", ".txt", ".yml")}
    assert {file.name for file in folder.iterdir()} == written
    # A companion counts as well as the file itself.
    (folder / f"{small.stem}.pdparams").unlink()
    again = cli("export", small, "--format", "pdparams", "--output", folder / f"{small.stem}.pdparams")
    assert again.code == 2
    assert again.errors[0].endswith(".txt: the file already exists; --overwrite replaces it")


def test_export_to_a_format_that_is_not_there(cli: Cli, small: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert "no format 'onx'; did you mean 'onnx'?" in cli("export", small, "--format", "onx").errors[0]
    monkeypatch.setattr(Format, "available", property(lambda form: form.package is None))
    done = cli("export", small, "--format", "paddle")
    assert done.code == 2
    assert done.errors[0].endswith("needs the package 'paddle'; pip install linetune[paddle]")


def test_export_in_a_lower_precision_is_measured(cli: Cli, small: Path, labels: Path, tmp_path: Path) -> None:
    (tmp_path / "model.safetensors").write_bytes(small.read_bytes())
    done = cli("export", tmp_path, "--precision", "int8", "--compare-on", labels)
    assert done.code == 0, done.err
    wrote, figures = done.out.splitlines()
    assert wrote == f"wrote {tmp_path / 'model-int8.onnx'}"
    assert re.fullmatch(
        r"int8: 0\.0% exact, 0\.0% in fp32 on 3 crops, [\d.]+ times as fast "
        r"\(\d+ and \d+ crops a second, one thread\), [\d.]+ of [\d.]+ MB",
        figures,
    )
    done = cli("export", tmp_path, "--precision", "fp16", "--json")
    figures = json.loads(done.out)
    assert (figures["precision"], figures["exact"], figures["alike"]) == ("fp16", None, figures["crops"])
    assert (tmp_path / "model-fp16.onnx").is_file()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--precision", "int"), "no precision 'int'; did you mean 'int8'?"),
        (("--precision", "int8", "--format", "hf"), "--precision int8: only for --format onnx, not hf"),
        (("--precision", "fp16", "--format", "all"), "--precision fp16: only for --format onnx, not all"),
    ],
)
def test_precisions_that_there_are_not(
    cli: Cli, small: Path, arguments: tuple[str, ...], message: str
) -> None:
    done = cli("export", small, *arguments)
    assert (done.code, len(done.errors)) == (2, 1)
    assert message in done.errors[0]


# synth


def test_a_preview_replaces_a_file_only_on_demand(cli: Cli, tmp_path: Path) -> None:
    config, sheet = tmp_path / "linetune.yaml", tmp_path / "sheet.png"
    fonts = resources.files("font_roboto") / "files" / "Roboto-Bold.ttf"
    config.write_text(
        f"output: run\ndata: {{train: t.txt, val: v.txt}}\n"
        f"synth: {{rule: 'A[1-9]', fonts: '{fonts}', output: synth}}\n"
        "stages: [{name: real, data: train, epochs: 1, learning_rate: 1e-4}]\n",
        encoding="utf-8",
    )
    assert cli("synth", config, "--preview", sheet).out == f"wrote {sheet}\n"
    sheet.write_bytes(b"mine")
    assert "sheet.png: the file already exists; --overwrite" in cli("synth", config, "--preview", sheet).err
    assert sheet.read_bytes() == b"mine"
    assert cli("synth", config, "--preview", sheet, "--overwrite").code == 0
    assert image.read(sheet).size


def test_rendered_crops_are_compared_with_real_ones(cli: Cli, labels: Path, tmp_path: Path) -> None:
    config, many = tmp_path / "linetune.yaml", tmp_path / "many.txt"
    fonts = resources.files("font_roboto") / "files" / "Roboto-Bold.ttf"
    config.write_text(
        f"output: run\nbase_model: {NAME}\ndata: {{train: t.txt, val: v.txt}}\n"
        f"synth: {{rule: 'LOT [1-9]{{4}}', fonts: '{fonts}', output: synth}}\n"
        "stages: [{name: real, data: train, epochs: 1, learning_rate: 1e-4}]\n",
        encoding="utf-8",
    )
    few = cli("synth", config, "--measure", labels)
    assert (few.code, few.errors) == (
        2,
        [f"error: {labels}: 3 crops are too few to compare with; name 20 or more"],
    )
    labelfile.write_labels(many, [(str(labels.parent / "00.png"), f"LOT {number}") for number in range(20)])
    compared = json.loads(cli("synth", config, "--measure", many, "--json").out)
    assert (compared["real"], compared["rendered"]) == (20, 20)
    assert "20 real and 20 rendered crops" in cli("synth", config, "--measure", many).out
    both = cli("synth", config, "--measure", many, "--preview", tmp_path / "sheet.png")
    assert (both.code, len(both.errors)) == (2, 1)


# Mistakes


def test_a_mistake_is_one_line_and_no_traceback(cli: Cli, labels: Path, small: Path, tmp_path: Path) -> None:
    empty, noise, folder = tmp_path / "empty.txt", tmp_path / "noise.png", tmp_path / "folder"
    empty.write_text("", encoding="utf-8")
    noise.write_bytes(b"not an image")
    folder.mkdir()
    bad, spaced = tmp_path / "bad.txt", tmp_path / "spaced.txt"
    labelfile.write_labels(bad, [("noise.png", "A")])
    labelfile.write_labels(spaced, [("noise.png", " A"), ("noise.png", "B\u200b")])
    flat = tmp_path / "flat.png"
    image.write(flat, np.asarray(cv2.resize(np.zeros((2, 2, 3), np.uint8), (20, 20)), np.uint8))
    for arguments, expected in (
        (("evaluate", NAME, tmp_path / "none.txt"), f"{tmp_path / 'none.txt'}: label file not found"),
        (("evaluate", NAME, empty), f"{empty}: the label file has no labels"),
        (("evaluate", NAME, folder), f"{folder}: label file expected, but this is a folder"),
        (("evaluate", "PP-OCRv5_mobil_rec", labels), NAME),
        (("evaluate", tmp_path / "none.safetensors", labels), "none.safetensors: model file not found"),
        (("evaluate", folder, labels), f"{folder}: the folder has no model.safetensors"),
        (("evaluate", small, labels, "--charset", tmp_path / "none.txt"), "charset file not found"),
        (("predict", small, noise), f"{noise}: not an image that can be decoded"),
        (("predict", small, folder), f"{folder}: no images in this folder"),
        (("predict", small, tmp_path / "none.png"), "none.png: image not found"),
        (("predict", small, flat, "--charset", "auto"), "no labels"),
        (("export", small, "--compare-on", empty), "has no labels"),
        (("export", "nothing"), "no model 'nothing'"),
        (("train", tmp_path / "none.yaml"), "none.yaml: configuration not found"),
        (("synth", tmp_path / "none.yaml"), "none.yaml: configuration not found"),
        (("check", tmp_path / "none.yaml"), "none.yaml: configuration not found"),
        (("check", tmp_path / "none.txt"), "none.txt: label file not found"),
        (("check", labels, "--rule", "("), "rule (: missing )"),
        (("check", labels, tmp_path / "none.yaml"), "a run file among label files"),
        (("check", labels, "--fix", folder), f"{folder}: the folder already exists"),
        (("rule", tmp_path / "none.txt"), "none.txt: label file not found"),
        (("rule", empty), f"{empty}: the label file has no labels"),
        (("rule", spaced), "no label is a text of at most 100 printable characters without outer spaces"),
        (("rule", labels, "--least", 9), "no pattern has 9 labels; lower --least"),
        (("split", labels, "--to", folder, "--val", "0.9"), "leave lines to train on"),
        (
            ("split", labels, "--to", folder, "--group-by", "("),
            "pattern (: not a regular expression: missing )",
        ),
        (("split", labels, "--to", folder, "--group-by", "x"), "has no group"),
    ):
        done = cli(*arguments)
        assert done.code == 2, arguments
        assert len(done.errors) == 1, (arguments, done.err)
        assert expected in done.errors[0]
        assert done.out == ""
        assert "Traceback" not in done.err


def test_a_path_that_no_system_takes_is_one_line(cli: Cli, tmp_path: Path, labels: Path) -> None:
    long = tmp_path / ("x" * 300)
    for arguments, told in (
        (("import", long, "--to", tmp_path / "to"), "no such file or folder"),
        (("check", labels, "--fix", long / "y"), "File name too long"),
    ):
        done = cli(*arguments)
        assert (done.code, len(done.errors)) == (2, 1)
        assert told in done.errors[0]


def test_every_bad_line_is_listed(cli: Cli, small: Path, tmp_path: Path) -> None:
    (tmp_path / "noise.png").write_bytes(b"not an image")
    bad = tmp_path / "bad.txt"
    labelfile.write_labels(bad, [("noise.png", "A"), ("none.png", "B")])
    done = cli("evaluate", small, bad)
    assert done.code == 2
    assert f"{bad}:1: not an image that can be decoded" in done.err
    assert f"{bad}:2: image not found" in done.err
    assert "2 of 2 lines cannot be used" in done.err
