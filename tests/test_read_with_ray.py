"""The example for millions of crops: killed and started again, it reads each crop exactly once."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
import torture

from linetune.recogniser import Recogniser

pytest.importorskip("ray")
pq: Any = pytest.importorskip("pyarrow.parquet")
pa: Any = pytest.importorskip("pyarrow")

EXAMPLE = Path(__file__).parent.parent / "examples/read_with_ray.py"
CROPS = int(os.environ.get("CROPS", "200"))
FILES, GROUPS = 2, 10
"""Parquet files, and row groups of each."""


def started(*arguments: object) -> subprocess.Popen[str]:
    command = [sys.executable, str(EXAMPLE), *map(str, arguments), "--workers", "2"]
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    return subprocess.Popen(command, text=True, start_new_session=True, **pipes)  # type: ignore[call-overload,no-any-return]


def rows(output: Path) -> list[dict[str, Any]]:
    # All parts as one table, as a user reads them.
    found: list[dict[str, Any]] = pq.read_table(output).to_pylist()
    return found


def test_each_crop_is_read_exactly_once(tmp_path: Path) -> None:
    torture.prepare(tmp_path / "project")
    pictures = [path.read_bytes() for path in sorted((tmp_path / "project/real").glob("*.png"))]
    crops, output, model = tmp_path / "crops", tmp_path / "out", tmp_path / "project/base.safetensors"
    crops.mkdir()
    size = CROPS // FILES
    for number in range(FILES):
        images = [pictures[i % len(pictures)] for i in range(size - 1)] + [b"no image"]
        table = pa.table({"image": images})
        pq.write_table(table, crops / f"{number}.parquet", row_group_size=-(-size // GROUPS))
    first = started(model, crops, output)
    while len(list(output.glob("*.parquet"))) < FILES * GROUPS // 3:
        assert first.poll() is None, first.communicate()
        time.sleep(0.05)
    os.killpg(first.pid, signal.SIGKILL)
    first.communicate()
    before = len(rows(output))
    assert before < CROPS
    began = time.monotonic()
    second = started(model, crops, output)
    out, err = second.communicate(timeout=3600)
    assert second.returncode == 0, out + err
    found = rows(output)
    places = [(row["file"], row["group"], row["row"]) for row in found]
    assert len(places) == len(set(places)) == CROPS
    print(f"{CROPS} crops, each once; {before} before the kill, the rest in {time.monotonic() - began:.0f} s")
    errors = [row for row in found if row["error"]]
    assert len(errors) == FILES
    texts = [reading.text for reading in Recogniser.load(model).read(pictures)]
    length = -(-size // GROUPS)
    for row in found:
        number = row["group"] * length + row["row"]
        assert row["text"] == (texts[number % len(texts)] if number < size - 1 else None)
    assert not list(output.glob("*.part"))
    third = started(model, crops, output)
    assert third.communicate()[0] == f"{output} has all readings\n"
    wrong = started(model, tmp_path / "none", output)
    assert wrong.communicate()[1].startswith(f"error: {tmp_path / 'none'}: no Parquet file")
