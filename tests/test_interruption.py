"""Ctrl-C at several moments of a run, in a process of its own: what is said, and how the run goes on."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
import torture
from conftest import Cli
from safetensors import SafetensorError

from linetune.core import signals
from linetune.evaluation import general
from linetune.formats import store

pytestmark = pytest.mark.skipif(os.name == "nt", reason="Windows has no SIGINT for one process")


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    torture.prepare(tmp_path / "project", middle=False)
    monkeypatch.chdir(tmp_path / "project")
    return tmp_path / "project"


def stopped(arguments: list[str], output: Path, moment: Callable[[], bool]) -> tuple[int, list[str]]:
    """Run linetune in a process, and press Ctrl-C at a moment. Return its exit code and its last lines."""
    command = [sys.executable, "-m", "linetune", *arguments]
    with output.open("wb") as file, subprocess.Popen(command, stdout=file, stderr=file) as process:
        until = time.monotonic() + 120
        while not moment() and time.monotonic() < until and process.poll() is None:
            time.sleep(0.01)
        process.send_signal(signal.SIGINT)
        try:
            code = process.wait(60)
        finally:
            process.kill()
    return code, output.read_text("utf-8").splitlines()


def has(run: Path, event: str) -> Callable[[], bool]:
    """Return a function that says whether the journal of a run has an event."""
    journal = run / "journal.jsonl"
    return lambda: journal.exists() and f'"event": "{event}"' in journal.read_text("utf-8")


def test_while_crops_are_rendered(project: Path, tmp_path: Path) -> None:
    rendered = project / "other"
    arguments = ["train", "linetune.yaml", "synth.output=other", "synth.count=3000"]
    code, lines = stopped(arguments, tmp_path / "out.txt", lambda: any(rendered.rglob("*.jpg")))
    assert code == 130, lines
    assert lines[-1] == "stopped; nothing is written yet; the same command starts again"
    assert not (project / "run").exists()


def test_while_it_trains(project: Path, tmp_path: Path, cli: Cli) -> None:
    run = project / "run"
    code, lines = stopped(
        ["train", "linetune.yaml", "stages.real.epochs=200", "stages.real.learning_rate=1e-4"],
        tmp_path / "out.txt",
        has(run, "real"),
    )
    assert code == 130, lines
    kept = rf"stopped; (the best model so far is )?{run}/model.safetensors (is the base model, because no "
    kept += r"stage was better yet|\(\d+\.\d% of validation\)); the last checkpoint is \d+ s old"
    assert re.fullmatch(kept, lines[-2]), lines
    assert lines[-1] == f"continue with: linetune train --resume {run}"
    watched = cli("watch", run)
    assert watched.code == 1
    assert watched.out.splitlines()[-1] == lines[-1]


def test_while_the_model_is_exported_and_quiet(
    project: Path, tmp_path: Path, cli: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = project / "run"
    code, lines = stopped(
        ["train", "linetune.yaml", "--quiet", "stages.real.learning_rate=1e-4"],
        tmp_path / "out.txt",
        has(run, "end"),
    )
    assert code == 130, lines
    assert len(lines) == 2
    assert lines[-1] == f"continue with: linetune train --resume {run}"
    assert not (run / "model.onnx").exists()
    monkeypatch.setattr(general, "MOST", 200)  # as in the process that was stopped
    done = cli("train", "--resume", run, "-q")
    assert (done.code, done.err) == (0, "")
    assert "stage real" in done.out
    assert (run / "model.onnx").exists()


def test_a_signal_counts_after_what_has_to_be_finished() -> None:
    finished = list[str]()

    def in_the_middle(error: Exception | None = None) -> None:
        with signals.delayed():
            signal.raise_signal(signal.SIGINT)
            finished.append("delayed")
            if error:
                raise error

    for error in (None, ValueError()):
        with pytest.raises(KeyboardInterrupt):
            in_the_middle(error)
    with signals.ignored():
        signal.raise_signal(signal.SIGINT)
        finished.append("ignored")
    assert finished == ["delayed", "delayed", "ignored"]
    with pytest.raises(KeyboardInterrupt):  # as before
        signal.raise_signal(signal.SIGINT)


def test_ctrl_c_while_a_model_is_read_is_no_damaged_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Interrupting:
        """Ctrl-C comes inside of safetensors, which makes an error of any exception there."""

        def __init__(self, *_: object, **__: object) -> None:
            pass

        def __enter__(self) -> Interrupting:
            return self

        def __exit__(self, *_: object) -> None:
            pass

        def keys(self) -> list[str]:
            return ["weight"]

        def get_tensor(self, name: str) -> object:
            try:
                signal.raise_signal(signal.SIGINT)
            except KeyboardInterrupt:
                raise SafetensorError(f"cannot get the shape of {name}") from None
            return torch.zeros(1)

        def metadata(self) -> dict[str, str]:
            return {}

    file = tmp_path / "model.safetensors"
    file.write_bytes(bytes(8))
    monkeypatch.setattr(store, "safe_open", Interrupting)
    with pytest.raises(KeyboardInterrupt):
        store.read_tensors(file)
