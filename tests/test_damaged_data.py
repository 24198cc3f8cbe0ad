"""`linetune check` on randomly damaged files: findings or one line, never a traceback or half a copy."""

from __future__ import annotations

import io
import json
import random
import sys
from collections import Counter
from collections.abc import Callable
from itertools import cycle
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np
import pytest

from linetune.cli import main
from linetune.core import image
from linetune.core.labelfile import read_labels

RUN = """\
output: run
charset: charset.txt # what a model may output
data:
  train: train.txt
  val: [val.txt]
synth: {rule: '[A-Z线:]{1,4}[0-9]{0,4}', fonts: fonts, output: synth}
stages:
  - {name: head, data: synth, freeze: backbone, epochs: 2, learning_rate: 1e-4}
  - name: real
    data: train
    epochs: 3
    learning_rate: 1.5e-4
    augment: standard
"""
CROPS = ("a.png", "b.jpg", "c.bmp", "d.webp", "e.tif", "val.png")
LABELS = "".join(f"{name}\t线A:{number}\n" for number, name in enumerate(CROPS[:-1]))


class Done(NamedTuple):
    code: int
    out: str
    err: str


@pytest.fixture(scope="module")
def sound() -> dict[str, bytes]:
    """The files of a small data set."""
    files = {
        "run.yaml": RUN.encode(),
        "train.txt": LABELS.encode(),
        "val.txt": "val.png\t线A:0\r\n".encode(),
        "charset.txt": "线\nA\n:\n0\n1\n2\n3\n4\n".encode(),
    }
    rng = np.random.default_rng(0)
    for name in CROPS:
        crop = cv2.resize(rng.integers(0, 256, (6, 12, 3), np.uint8), (48, 20))
        files[name] = cv2.imencode(Path(name).suffix, crop)[1].tobytes()
    return files


@pytest.fixture
def check(monkeypatch: pytest.MonkeyPatch) -> Callable[..., Done]:
    """`linetune check` with its output in files, on a system of an encoding."""

    def run(encoding: str, *arguments: str) -> Done:
        streams = [io.TextIOWrapper(io.BytesIO(), encoding, "strict") for _ in range(2)]
        monkeypatch.setattr(sys, "stdout", streams[0])
        monkeypatch.setattr(sys, "stderr", streams[1])
        monkeypatch.setattr(sys, "argv", ["linetune", "check", *arguments])
        with pytest.raises(SystemExit) as caught:
            main()
        for stream in streams:
            stream.seek(0)
        return Done(int(caught.value.code or 0), *(stream.read() for stream in streams))

    return run


def damaged(data: bytes, rng: random.Random) -> bytes:
    """The content with a few random changes, or cut off, or gone, or replaced by noise."""
    how = rng.random()
    if how < 0.05:
        return b""
    if how < 0.1:
        return rng.randbytes(rng.randint(1, 200))
    if how < 0.25:
        return data[: rng.randrange(len(data))]
    changed = bytearray(data)
    for _ in range(rng.randint(1, 8)):
        at = rng.randrange(len(changed) + 1)
        how = rng.random()
        if how < 0.4:
            changed[at : at + 1] = rng.randbytes(1)
        elif how < 0.7:
            del changed[at : at + rng.randint(1, 9)]
        else:
            changed[at:at] = rng.choice([b"\0", b"\t", b"\n", b"\r", b": ", b"\xef\xbb\xbf", b"\xff", b"../"])
    return bytes(changed)


def test_damaged_files_give_findings_or_one_line(
    sound: dict[str, bytes], check: Callable[..., Done], tmp_path: Path
) -> None:
    rng = random.Random(0)
    codes = Counter[int]()
    targets = cycle(
        ("train.txt", "run.yaml", *CROPS[:3], "train.txt", "run.yaml", *CROPS[3:5], "charset.txt")
    )
    for number, target in zip(range(200), targets, strict=False):
        folder = tmp_path / f"线 {number}"
        folder.mkdir()
        for name, data in sound.items():
            (folder / name).write_bytes(damaged(data, rng) if name == target else data)
        before = contents(folder)
        encoding, as_json, clean = ("gbk", "ascii", "utf-8")[number % 3], number % 2 == 1, folder / "clean"
        whole_run = number % 4 or target in ("run.yaml", "charset.txt")
        given = ["run.yaml"] if whole_run else ["train.txt", "val.txt"]
        options = ["--fix", str(clean), *(["--json"] if as_json else [])]
        done = check(encoding, *(str(folder / name) for name in given), *options)

        codes[done.code] += 1
        told = (number, target, done)
        assert done.code in (0, 1, 2), told
        assert {path: before.get(path) for path in contents(folder) if clean not in path.parents} == before
        if done.code == 2:
            assert done.err.startswith("error: "), told
            assert all(
                line.startswith((str(folder), "rule ")) for line in done.err[len("error: ") :].splitlines()
            ), told
            assert done.out == "", told
            assert not clean.exists(), told
        else:
            assert done.err == "", told
            if as_json:
                assert json.loads(done.out)["fixed"]["folder"] == str(clean)
            for line in [line for labels in clean.glob("t*.txt") for line in read_labels(labels)]:
                image.read(line.image)
    assert set(codes) == {0, 1, 2}
    assert min(codes.values()) > 10


def contents(folder: Path) -> dict[Path, bytes]:
    return {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}
