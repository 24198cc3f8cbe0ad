"""An interrupted run continues to the same result, and every fault leaves a way to go on."""

from __future__ import annotations

import errno
import itertools
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import torch
import torture
from conftest import Heard
from torch import Tensor

from linetune.config.load import load
from linetune.core import cache
from linetune.core.charset import AliasClasses
from linetune.core.errors import Interrupted, LinetuneError
from linetune.formats.store import load_model
from linetune.models.network import Network
from linetune.training import losses
from linetune.training import run as runs
from linetune.training.losses import ctc_loss
from linetune.training.run import resume
from linetune.training.state import Validation
from linetune.training.validation import Validator

train = partial(runs.train, export=False)
FIRST = 7
"""The number of a validation in the first stage."""
LAST = 12
"""The number of a validation in the last stage."""


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    torture.hurry(monkeypatch.setattr)


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("resume") / "project"
    torture.prepare(folder, middle=False)  # one stage on images is enough here
    return folder


@pytest.fixture(scope="module")
def complete(project: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of the run without an interruption."""
    out = tmp_path_factory.mktemp("whole") / "run"
    with pytest.MonkeyPatch.context() as patch:
        torture.hurry(patch.setattr)
        train(load(project / "linetune.yaml", [f"output={out}"]))
    return out


@pytest.fixture(scope="module")
def whole(complete: Path) -> dict[str, Any]:
    """The result of the run without an interruption."""
    return torture.result(complete)


@pytest.fixture(scope="module")
def cut_short(project: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a run that was interrupted in the last stage."""
    out = tmp_path_factory.mktemp("interrupted") / "run"
    with pytest.MonkeyPatch.context() as patch:
        torture.hurry(patch.setattr)
        interrupted(project, out, patch)
    return out


@pytest.fixture
def stopped(cut_short: Path, tmp_path: Path) -> Path:
    """A copy of that folder, which a test may change. A run folder may be moved."""
    return Path(shutil.copytree(cut_short, tmp_path / "a run"))


def interrupted(project: Path, out: Path, monkeypatch: pytest.MonkeyPatch, after: int = LAST) -> str:
    """Start a run that is interrupted in a validation. Return what the interruption says."""
    calls = 0
    validate = Validator.__call__

    def stopping(self: Validator, network: Network) -> Validation:
        nonlocal calls
        calls += 1
        if calls > after:
            raise KeyboardInterrupt
        return validate(self, network)

    with monkeypatch.context() as patch:
        patch.setattr(Validator, "__call__", stopping)
        with pytest.raises(Interrupted) as caught:
            train(load(project / "linetune.yaml", [f"output={out}"]))
    return str(caught.value)


def checkpoints(folder: Path) -> list[Path]:
    return sorted(folder.glob("stages/checkpoint-*"))


def interrupt(*_: object) -> None:
    raise KeyboardInterrupt


@pytest.mark.parametrize("after", [FIRST, 10])  # 10 is a trial of rates; other tests go on from LAST
def test_an_interrupted_run_continues_to_the_same_result(
    project: Path, whole: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, after: int
) -> None:
    out = tmp_path / "run"
    said = interrupted(project, out, monkeypatch, after)
    assert said.endswith(f"\ncontinue with: linetune train --resume {out}")
    assert len(checkpoints(out)) == 2
    resume(out)
    assert torture.result(out) == whole


def test_a_resumed_run_uses_stored_features_again(
    project: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LINETUNE_CACHE", str(tmp_path / "cache"))
    out, heard = tmp_path / "run", Heard()
    interrupted(project, out, monkeypatch, FIRST)
    resume(out, reporter=heard)
    assert "stage head: trains on the features that an earlier run stored" in heard.lines


def test_a_resumed_run_may_be_moved_and_interrupted_to_its_last_moment(
    stopped: Path, whole: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out, unlink = stopped.rename(tmp_path / "moved"), Path.unlink
    for left in (1, 0):

        def killed(path: Path, missing_ok: bool = False, left: int = left) -> None:
            unlink(path, missing_ok)
            if path.name.startswith("checkpoint-") and len(checkpoints(out)) == left:
                raise KeyboardInterrupt

        with monkeypatch.context() as patch:
            patch.setattr(Path, "unlink", killed)
            with pytest.raises(KeyboardInterrupt):
                resume(out)
        assert len(checkpoints(out)) == left
    assert torture.result(out) == whole


def test_training_anew_names_the_command_that_continues(project: Path, stopped: Path) -> None:
    with pytest.raises(
        LinetuneError, match=r"interrupted run; linetune train --resume '.*a run' continues it"
    ):
        train(load(project / "linetune.yaml", [f"output={stopped}"]))


def test_a_damaged_checkpoint_gives_way_to_the_one_before(stopped: Path, whole: dict[str, Any]) -> None:
    heard = Heard()
    _, newest = checkpoints(stopped)
    data = bytearray(newest.read_bytes())
    data[-1] ^= 1
    newest.write_bytes(data)
    resume(stopped, reporter=heard)
    assert heard.lines[0] == f"{newest} is damaged; the checkpoint before it is used"
    assert torture.result(stopped) == whole


def test_without_a_whole_checkpoint_nothing_continues(stopped: Path) -> None:
    for path in checkpoints(stopped):
        path.write_bytes(b"")
    with pytest.raises(LinetuneError, match="every checkpoint is damaged; linetune train with --overwrite"):
        resume(stopped)


@pytest.mark.parametrize(
    ("override", "said"),
    [
        ("stages.real.batch_size=2", "stages.real.batch_size is 2, but was 4 when the run began"),
        ("seed=1", "seed is 1, but was 0"),
        ("data.train=other/labels.txt", "the crops or labels of train have changed"),
    ],
)
def test_a_change_is_refused_before_anything_is_written(
    project: Path, stopped: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, override: str, said: str
) -> None:
    before = {path: path.read_bytes() for path in stopped.rglob("*") if path.is_file()}
    shutil.copytree(project / "real", tmp_path / "other")
    labels = tmp_path / "other/labels.txt"
    labels.write_text(labels.read_text("utf-8").replace("C-0", "C-1"), encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    with pytest.raises(LinetuneError, match=said):
        resume(stopped, [override])
    assert {path: path.read_bytes() for path in stopped.rglob("*") if path.is_file()} == before


def test_a_changed_reading_rule_is_refused(
    project: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ruled, out = tmp_path / "ruled", tmp_path / "run"
    shutil.copytree(project, ruled)
    with (ruled / "linetune.yaml").open("a", encoding="utf-8") as file:
        file.write("reading_rule: rule.txt\n")
    (ruled / "rule.txt").write_text("AB123\n", "utf-8")
    interrupted(ruled, out, monkeypatch)
    (ruled / "rule.txt").write_text("AB124\n", "utf-8")
    with pytest.raises(
        LinetuneError, match="the reading_rule has changed since the run began; restore its file"
    ):
        resume(out)
    (ruled / "rule.txt").write_text("AB123\n", "utf-8")
    result = resume(out)
    assert load_model(out / "model.safetensors").rule == {"texts": ["AB123"]}
    assert result.by_rule is not None
    assert result.by_rule.val.lines == result.kept.val.lines
    assert result.as_dict()["by_rule"]["name"] == "the kept model, by its rule"


def test_data_that_were_moved_can_be_named(
    project: Path, whole: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    mine, out = tmp_path / "project", tmp_path / "run"
    shutil.copytree(project, mine)
    interrupted(mine, out, monkeypatch)
    (mine / "real").rename(tmp_path / "elsewhere")
    with pytest.raises(LinetuneError, match="label file not found"):
        resume(out)
    resume(out, [f"data.train={tmp_path / 'elsewhere/labels.txt'}"])
    assert torture.result(out)["models"] == whole["models"]


def test_a_complete_run_and_other_folders_are_not_resumed(complete: Path, tmp_path: Path) -> None:
    assert not checkpoints(complete)
    with pytest.raises(LinetuneError, match="the run is complete"):
        resume(complete)
    with pytest.raises(LinetuneError, match=r"no run to resume; name the run folder"):
        resume(tmp_path)


def test_a_run_in_progress_is_not_resumed_by_another_process(stopped: Path) -> None:
    with (
        cache.locked(stopped),
        pytest.raises(LinetuneError, match="another linetune is writing to this folder"),
    ):
        resume(stopped)


@pytest.mark.parametrize("suffix", [".safetensors", ".jsonl"])
def test_a_full_disk_is_one_line_and_the_run_continues_later(
    project: Path, whole: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, suffix: str
) -> None:
    out, calls, sync = tmp_path / "run", 0, os.fsync

    def full(descriptor: int) -> None:
        nonlocal calls
        calls += suffix in str(Path(f"/proc/self/fd/{descriptor}").readlink())
        if calls > 6:
            raise OSError(errno.ENOSPC, "No space left on device")
        sync(descriptor)

    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", full)
        with pytest.raises(
            LinetuneError, match=r"cannot write .* \(No space left on device\); free some space"
        ):
            train(load(project / "linetune.yaml", [f"output={out}"]))
    assert not list(out.rglob("*.part"))
    resume(out)
    assert torture.result(out) == whole


def test_a_run_that_is_asked_to_end_says_how_to_go_on(
    project: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, cli: Callable[..., Any]
) -> None:
    out = tmp_path / "run"
    validate, calls = Validator.__call__, 0

    def ending(self: Validator, network: Network) -> Validation:
        nonlocal calls
        calls += 1
        if calls > LAST:
            os.kill(os.getpid(), signal.SIGTERM)
        return validate(self, network)

    with monkeypatch.context() as patch:
        patch.setattr(Validator, "__call__", ending)
        ended = cli("train", project / "linetune.yaml", f"output={out}")
    assert ended.code == 143
    first, second = ended.err.splitlines()[-2:]
    assert re.fullmatch(r"terminated; .*; the last checkpoint is \d+ s old", first)
    assert second == f"continue with: linetune train --resume {out}"
    assert cli("train", "--resume", out).code == 0
    assert (out / "model.onnx").exists()


def test_a_loss_that_is_not_finite_once_costs_half_the_learning_rate(
    project: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out, calls, heard = tmp_path / "run", 0, Heard()

    def diverging(logits: Tensor, labels: list[list[int]], aliases: AliasClasses) -> Tensor:
        nonlocal calls
        calls += 1
        return ctc_loss(logits, labels, aliases) * (float("nan") if calls == 12 else 1)

    monkeypatch.setattr(losses, "ctc_loss", diverging)
    train(load(project / "linetune.yaml", [f"output={out}"]), reporter=heard)
    setbacks = [row for row in torture.result(out)["journal"] if row["event"].endswith("setback")]
    assert [row["setbacks"] for row in setbacks] == [1]
    assert any("with half the learning rate" in line for line in heard.lines)


def test_a_batch_that_does_not_fit_into_memory_is_divided(
    project: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def limited(logits: Tensor, labels: list[list[int]], aliases: AliasClasses) -> Tensor:
        if len(labels) > 2:
            raise RuntimeError(
                "[enforce fail at alloc_cpu.cpp:118] DefaultCPUAllocator: can't allocate memory"
            )
        return ctc_loss(logits, labels, aliases)

    monkeypatch.setattr(losses, "ctc_loss", limited)
    assert (
        train(load(project / "linetune.yaml", [f"output={tmp_path / 'run'}"])).rows[-1].name == "stage real"
    )


def test_memory_for_no_crop_at_all_is_one_line(
    project: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def none(*_: object) -> Tensor:
        raise torch.OutOfMemoryError("CUDA out of memory")

    monkeypatch.setattr(losses, "ctc_loss", none)
    with pytest.raises(LinetuneError, match="not enough memory to train on one crop at a time; close other"):
        train(load(project / "linetune.yaml", [f"output={tmp_path / 'run'}"]))


def at_validation(patch: pytest.MonkeyPatch, number: int, event: Callable[[], object]) -> None:
    """Let something happen in the course of a run."""
    validate, calls = Validator.__call__, 0

    def eventful(self: Validator, network: Network) -> Validation:
        nonlocal calls
        calls += 1
        if calls == number:
            event()
        return validate(self, network)

    patch.setattr(Validator, "__call__", eventful)


def test_crops_that_vanish_during_a_run_are_not_missed(
    project: Path, whole: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    mine = tmp_path / "project"
    shutil.copytree(project, mine)
    at_validation(monkeypatch, LAST, lambda: shutil.rmtree(mine / "real"))
    train(load(mine / "linetune.yaml", [f"output={tmp_path / 'run'}"]))
    assert not (mine / "real").exists()
    assert torture.result(tmp_path / "run")["models"] == whole["models"]


def test_a_clock_that_goes_backwards_changes_nothing(
    project: Path, whole: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    moments = itertools.count(2e9, -1000)
    monkeypatch.setattr(time, "time", lambda: next(moments))
    train(load(project / "linetune.yaml", [f"output={tmp_path / 'run'}"]))
    assert torture.result(tmp_path / "run") == whole


def test_a_run_folder_that_is_removed_is_one_line(
    project: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, cli: Callable[..., Any]
) -> None:
    out = tmp_path / "run"
    at_validation(monkeypatch, LAST, lambda: shutil.rmtree(out))
    ended = cli("train", project / "linetune.yaml", f"output={out}")
    assert ended.code == 2
    assert len(ended.errors) == 1
    assert str(out) in ended.errors[0]
    assert "No such file or directory" in ended.errors[0]


def test_a_run_folder_that_cannot_be_made_is_one_line(
    project: Path, tmp_path: Path, cli: Callable[..., Any]
) -> None:
    (tmp_path / "file").write_text("", encoding="utf-8")
    ended = cli("train", project / "linetune.yaml", f"output={tmp_path / 'file/run'}")
    assert ended.code == 2
    assert len(ended.errors) == 1
    assert str(tmp_path / "file") in ended.errors[0]


def test_killed_runs_continue_to_the_same_files(tmp_path: Path) -> None:
    kills = os.environ.get("KILLS", "2")
    command = [sys.executable, torture.__file__, str(tmp_path / "torture"), "--kills", kills]
    ended = subprocess.run(command, check=False, capture_output=True, text=True)
    assert ended.returncode == 0, ended.stdout + ended.stderr
    assert f"{kills} of {kills} results are the same" in ended.stdout
