"""The tutorial: its commands work from an empty folder, on a tiny network."""

from __future__ import annotations

import runpy
import subprocess
import sys
from importlib import resources
from pathlib import Path

import pytest
import torch
from conftest import Cli
from markdown_pages import blocks, commands

from linetune.core.charset import Charset
from linetune.evaluation import general
from linetune.formats.model import Model
from linetune.formats.store import save_model
from linetune.models.families.pp_ocr_mobile import PPOCRMobile
from linetune.models.layers.reparam import fold
from linetune.models.network import Network
from linetune.training import rate

ROOT = Path(__file__).parents[1]
PAGE = ROOT / "docs" / "tutorial.md"
PREPARE = ["python", "linetune/examples/photos/prepare.py", "photos"]


def test_the_commands_lead_from_photos_to_an_export_that_other_programs_read(
    cli: Cli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(rate, "STEPS", 2)
    monkeypatch.setattr(general, "FEWEST", 1000)  # everyday texts are not read then
    write_base(tmp_path / "base.safetensors")
    font = Path(str(resources.files("font_amatic_sc"))) / "files" / "AmaticSC-Bold.ttf"
    network = ["base_model=base.safetensors", "device=cpu", "precision=fp32", "stages.real.batch_size=4"]
    steps = ["synth.count=8", "stages.head.steps=2", "stages.head.trial=4", "stages.real.steps=2"]
    more: dict[str, list[object]] = {
        "init": ["--fonts", font],
        "train": [*network, *steps],
        "suspects": [*network, "--folds", "2"],
    }
    ran = []
    for program, *words in commands(PAGE):
        if [program, *words] == PREPARE:
            monkeypatch.setattr(sys, "argv", ["prepare.py", "photos", "--photos", "8"])
            runpy.run_path(str(ROOT / "examples" / "photos" / "prepare.py"), run_name="__main__")
        elif program == "python" and words == ["read.py"]:
            (code,) = blocks(PAGE, "python")
            Path("read.py").write_text(code, encoding="utf-8")
            run = subprocess.run([sys.executable, "read.py"], check=False, capture_output=True, text=True)
            assert run.returncode == 0, run.stderr
            by_rapidocr = dict(line.split("\t")[:2] for line in run.stdout.splitlines())
        elif words[0] == "review" or any(".review/" in word for word in words):
            continue  # a review waits for a person
        elif program.endswith("linetune"):
            if words[0] == "train":
                assert words.pop(-2) == "--within"  # two steps take less than any time limit
                words.pop()
            done = cli(*words, *more.get(words[0], []))
            # Too few readings for a promise, all of them wrong.
            expected = 2 if words[0] == "threshold" else 0
            assert done.code == expected, (words, done.err)
            ran.append(words[0])
            if words[0] == "predict":
                by_linetune = dict(line.split("\t")[:2] for line in done.out.splitlines())
    assert ran == ["import", "init", "check", "train", "report", "suspects", "threshold", "export", "predict"]
    assert by_rapidocr
    assert by_rapidocr == {path: by_linetune[path] for path in by_rapidocr}


def write_base(path: Path) -> None:
    """Write a small untrained base model."""
    torch.manual_seed(0)
    charset = Charset.collect(["0123456789"])
    network = fold(Network(PPOCRMobile(scale=0.35), charset.classes)).eval()
    save_model(Model(network, charset, "tiny", "made here"), path)
