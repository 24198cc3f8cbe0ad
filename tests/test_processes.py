"""Several processes train one run together: with the same result as one, and without one that hangs."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import psutil
import pytest
import torch
import torture
from safetensors.torch import load_file

from linetune.models.layers.dropout import dropout, part_of_batch

ALONE = [sys.executable, "-m", "linetune"]
TOGETHER = [sys.executable, "-m", "torch.distributed.run", "--nproc-per-node", "2", "-m", "linetune"]
SETTINGS = ["stages.full.steps=20", "stages.full.nrtr_weight=0", "stages.real.learning_rate=1e-4"]
MINUTE = 60.0


def command(project: Path, out: Path, start: list[str]) -> list[str]:
    return [*start, "train", str(project / "linetune.yaml"), f"output={out}", *SETTINGS]


def environment(cache: Path) -> dict[str, str]:
    return os.environ | {"OMP_NUM_THREADS": "1", "LINETUNE_CACHE": str(cache), "COLUMNS": "120"}


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("processes") / "project"
    torture.prepare(folder)
    return folder


def figures(out: Path) -> list[dict[str, Any]]:
    rows = (json.loads(line) for line in (out / "journal.jsonl").read_text("utf-8").splitlines())
    return [torture.timeless(row) for row in rows]


def test_two_processes_give_the_result_of_one(project: Path, tmp_path: Path) -> None:
    for name, start in (("one", ALONE), ("two", TOGETHER)):
        # Each has a cache of its own. Features are not reused.
        ended = subprocess.run(
            command(project, tmp_path / name, start),
            check=False,
            capture_output=True,
            text=True,
            env=environment(tmp_path / f"cache-{name}"),
        )
        assert ended.returncode == 0, ended.stderr
        assert ended.stdout.count("model  ") == 1  # only the first process prints
    one, two = figures(tmp_path / "one"), figures(tmp_path / "two")
    events = [[(row["event"], row.get("step")) for row in rows] for rows in (one, two)]
    assert events[0] == events[1]
    losses = [[row["loss"] for row in rows if "loss" in row] for rows in (one, two)]
    assert losses[0] == pytest.approx(losses[1], rel=1e-5)
    for name in ("1-head", "2-full", "3-real"):
        weights = load_file(tmp_path / f"one/stages/{name}.safetensors")
        for key, tensor in load_file(tmp_path / f"two/stages/{name}.safetensors").items():
            assert torch.allclose(tensor, weights[key], rtol=1e-5, atol=1e-5), (name, key)


def test_a_process_that_dies_ends_the_run_which_can_be_resumed(project: Path, tmp_path: Path) -> None:
    out, cache = tmp_path / "run", tmp_path / "cache"
    started = subprocess.Popen(
        [*command(project, out, TOGETHER), "stages.full.steps=100000"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=environment(cache),
    )
    deadline = time.monotonic() + 2 * MINUTE
    while not list(out.glob("stages/checkpoint-*.safetensors")):
        assert started.poll() is None, started.stderr and started.stderr.read()
        assert time.monotonic() < deadline
        time.sleep(0.2)
    second = next(
        child
        for child in psutil.Process(started.pid).children(recursive=True)
        if child.environ().get("RANK") == "1"
    )
    second.send_signal(signal.SIGKILL)
    killed = time.monotonic()
    _, err = started.communicate(timeout=2 * MINUTE)
    assert time.monotonic() - killed < MINUTE
    assert started.returncode != 0
    assert f"continue with: linetune train --resume {out}\n" in err


def test_processes_that_cannot_connect_are_one_line(project: Path, tmp_path: Path) -> None:
    alone = environment(tmp_path / "cache") | {"WORLD_SIZE": "2"}
    ended = subprocess.run(
        command(project, tmp_path / "run", ALONE), check=False, capture_output=True, text=True, env=alone
    )
    assert ended.returncode == 2
    assert ended.stderr.startswith("error: torch.distributed: the processes cannot connect (")
    assert ended.stderr.endswith("start them with torchrun, or unset WORLD_SIZE\n")
    assert not (tmp_path / "run").exists()


def test_a_part_of_a_batch_gets_the_dropout_of_the_whole() -> None:
    x = torch.ones(6, 3, 5)
    torch.manual_seed(1)
    whole = dropout(x, 0.4, training=True)
    torch.manual_seed(1)
    with part_of_batch(6, [1, 4]):
        part = dropout(x[[1, 4]], 0.4, training=True)
    assert torch.equal(part, whole[[1, 4]])
    assert 0 < (whole == 0).float().mean() < 1
    assert torch.equal(dropout(x, 0.4, training=False), x)
