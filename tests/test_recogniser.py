from __future__ import annotations

import io
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from PIL import Image

import linetune
from linetune.core import image
from linetune.core.charset import Charset
from linetune.core.errors import LinetuneError
from linetune.core.labelfile import Line, read_labels
from linetune.formats.store import save_model
from linetune.recogniser import Recogniser

TEXTS = ["LOT 4711", "2026-10-31", "X", "SERIAL 0123456789 ABCDEF", "90.5", "BATCH 12"]


@pytest.fixture(scope="module")
def lines(tmp_path_factory: pytest.TempPathFactory, make_crops: Callable[..., Path]) -> list[Line]:
    return read_labels(make_crops(tmp_path_factory.mktemp("crops"), TEXTS))


@pytest.fixture(scope="module")
def recogniser() -> Recogniser:
    return Recogniser.load("PP-OCRv5_mobile_rec", Charset.collect([*TEXTS, "OIS"]))


def test_paths_and_arrays_are_read_in_the_order_given(recogniser: Recogniser, lines: list[Line]) -> None:
    images: list[Any] = [line.image for line in lines]
    images[1] = str(images[1])
    images[2:4] = [image.read(path) for path in images[2:4]]
    seen: list[int] = []
    readings = recogniser.read(images, batch_size=2, progress=seen.append)
    assert [reading.text for reading in readings] == TEXTS
    assert all(0.5 < reading.confidence <= 1 for reading in readings)
    assert seen == sorted(seen)
    assert seen[-1] == len(TEXTS)
    assert [reading.text for reading in recogniser.read(images[::-1])] == TEXTS[::-1]
    assert recogniser.read([]) == []


def test_a_run_folder_and_its_file_load_alike(
    recogniser: Recogniser, lines: list[Line], tmp_path: Path
) -> None:
    save_model(recogniser.model, tmp_path / "model.safetensors")
    for place in (tmp_path, str(tmp_path), tmp_path / "model.safetensors"):
        loaded = linetune.Recogniser.load(place)
        assert loaded.charset == recogniser.charset
        (found,), (expected,) = (each.read([lines[0].image]) for each in (loaded, recogniser))
        assert found.text == expected.text
        # Memory aligned otherwise may choose another kernel, which rounds otherwise.
        assert found.confidence == pytest.approx(expected.confidence, abs=1e-5)
    limited = linetune.Recogniser.load(tmp_path, Charset(tuple("0123456789")))
    assert limited.read([lines[0].image])[0].text.endswith("4711")


def closed_picture() -> Image.Image:
    picture = Image.new("L", (9, 9))
    picture.close()
    return picture


@pytest.mark.parametrize(
    ("bad", "said"),
    [
        (np.zeros((48, 100, 2), np.uint8), "uint8 (48, 100, 2)"),
        (np.zeros((48, 100, 3), np.float32), "float32 (48, 100, 3); scale its values to 0 to 255"),
        (np.zeros((48, 100), np.bool_), "bool (48, 100); scale"),
        (np.zeros((0, 100, 3), np.uint8), "uint8 (0, 100, 3)"),
        (np.zeros((48, 0, 3), np.uint8), "uint8 (48, 0, 3)"),
        (None, "got None; cv2.imread returns None"),
        (7, "got int"),
        (b"no image", "not an image"),
        (b"", "empty"),
        (io.BytesIO(), "the file is empty, or was read to its end; file.seek(0) goes back"),
        (io.StringIO("text"), "the file is open as text; open it with mode 'rb'"),
        (closed_picture(), "the PIL image cannot be read"),
    ],
)
def test_what_is_no_crop_is_refused_in_one_short_line(recogniser: Recogniser, bad: Any, said: str) -> None:
    crop = np.full((48, 100, 3), 9, np.uint8)
    with pytest.raises(LinetuneError) as caught:
        recogniser.read([crop, bad])
    message = str(caught.value)
    assert message.startswith("images[1]: ")
    assert said in message
    assert len(message) < 200


def test_every_kind_of_image_that_people_have_reads_alike(recogniser: Recogniser, lines: list[Line]) -> None:
    path = lines[0].image
    bgr = image.read(path)
    grey = cv2.cvtColor(bgr, cv2.COLOR_BGR2GRAY)
    kinds: list[Any] = [
        path,
        str(path),
        path.read_bytes(),
        bytearray(path.read_bytes()),
        io.BytesIO(path.read_bytes()),
        bgr,
        cv2.cvtColor(bgr, cv2.COLOR_BGR2BGRA),
        Image.open(path),
        Image.open(path).convert("L"),
        Image.open(path).convert("RGBA"),
        Image.open(path).convert("P"),
        grey,
        grey[..., None],
    ]
    assert {reading.text for reading in recogniser.read(kinds)} == {TEXTS[0]}
    same = recogniser.read([path, path.read_bytes(), Image.open(path), bgr])
    assert [reading.confidence for reading in same] == [same[0].confidence] * 4
    assert recogniser.read(np.array([str(path)]))[0].text == TEXTS[0]
    with os.scandir(path.parent) as entries:
        entry = next(entry for entry in entries if entry.name == path.name)
    assert recogniser.read([entry])[0].text == TEXTS[0]
    assert recogniser.read(np.stack([bgr, bgr])) == recogniser.read(each for each in (bgr, bgr))


@pytest.mark.parametrize("wrong", [None, 5, {"a": "a.png"}, {"a.png"}, "a.png", b"x", Image.new("L", (9, 9))])
def test_anything_but_a_list_of_images_is_refused(recogniser: Recogniser, wrong: Any) -> None:
    with pytest.raises(
        LinetuneError, match=r"expected a list of images, got .*; read\(\[image\]\) reads one"
    ):
        recogniser.read(wrong)


def test_a_batch_has_a_crop_at_least(recogniser: Recogniser) -> None:
    with pytest.raises(LinetuneError, match="batch_size is 0, but must be at least 1"):
        recogniser.read([], batch_size=0)


def test_an_image_that_is_not_there_is_named(recogniser: Recogniser, tmp_path: Path) -> None:
    with pytest.raises(LinetuneError, match=r"none\.png: image not found"):
        recogniser.read([tmp_path / "none.png"])


def test_arrays_are_left_as_they_were_and_may_be_views(recogniser: Recogniser, lines: list[Line]) -> None:
    crop = image.read(lines[0].image)
    turned = crop[::-1, ::-1]
    before = turned.copy()
    recogniser.read([turned])
    assert np.array_equal(turned, before)
    assert recogniser.read([turned[::-1, ::-1]])[0].text == TEXTS[0]


def test_importing_linetune_is_quick_and_its_names_work() -> None:
    code = (
        "import sys, linetune; assert 'torch' not in sys.modules\n"
        "assert callable(linetune.load_config) and 'torch' not in sys.modules\n"
        "assert callable(linetune.train) and callable(linetune.Recogniser.load)\n"
        "assert issubclass(linetune.LinetuneError, Exception)\n"
        "from linetune import *\n"
    )
    done = subprocess.run([sys.executable, "-c", code], check=False, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    with pytest.raises(AttributeError, match="'Recognizer'"):
        _ = linetune.Recognizer


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")
@pytest.mark.parametrize("warm", [False, True])
def test_a_forked_process_reads_with_the_model_of_its_parent(warm: bool, lines: list[Line]) -> None:
    # A process of its own, since a fork that waits for ever would take the tests along.
    code = (
        "import os, sys, linetune\n"
        "path, warm = sys.argv[1], sys.argv[2] == 'True'\n"
        "recogniser = linetune.Recogniser.load('PP-OCRv5_mobile_rec')\n"
        "if warm: recogniser.read([path])\n"
        "if os.fork() == 0:\n"
        "    print(recogniser.read([path])[0].text, flush=True)\n"
        "    os._exit(0)\n"
        "os.wait()\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(lines[0].image), str(warm)],
        check=False,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.stdout.strip() == TEXTS[0], done.stderr
