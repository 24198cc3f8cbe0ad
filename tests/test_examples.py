"""The examples do what they say: the service, the camera and the notebook. Each is short."""

from __future__ import annotations

import http.client
import json
import runpy
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from linetune.core import image
from linetune.core.charset import Charset
from linetune.core.errors import LinetuneError
from linetune.core.labelfile import read_labels
from linetune.evaluation import general
from linetune.formats.official import load_base
from linetune.formats.onnx_file import export
from linetune.formats.transfer import with_charset
from linetune.recogniser import Recogniser

EXAMPLES = Path(__file__).parents[1] / "examples"
SERVICE, CAMERA = EXAMPLES / "service/service.py", EXAMPLES / "camera/camera.py"
NOTEBOOK = EXAMPLES / "notebook/digits.ipynb"
TEXTS = ["LOT 4711", "2026-10-31", "SN 90.5", "BATCH 12", "X7"]
QUEUE = 6


@pytest.fixture(scope="module")
def crops(tmp_path_factory: pytest.TempPathFactory, make_crops: Callable[..., Path]) -> list[Path]:
    return [line.image for line in read_labels(make_crops(tmp_path_factory.mktemp("crops"), TEXTS))]


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    limited = with_charset(load_base("PP-OCRv5_mobile_rec"), Charset.collect([*TEXTS, "OIS"])).model
    return export(limited, tmp_path_factory.mktemp("model") / "model.onnx").path


@pytest.fixture(scope="module")
def texts(model: Path, crops: list[Path]) -> list[str]:
    read = [reading.text for reading in Recogniser.load(model).read(crops)]
    assert read == TEXTS
    return read


def started(script: Path, *arguments: object) -> subprocess.Popen[str]:
    command = [sys.executable, str(script), *map(str, arguments)]
    return subprocess.Popen(command, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE)


class Running:
    """A service in a process of its own."""

    def __init__(self, model: Path) -> None:
        # The wait is long enough for requests that are sent together to arrive together.
        settings = ["--port", 0, "--wait", 300, "--queue", QUEUE, "--largest", 0.5]
        self.process = started(SERVICE, model, *settings)
        assert self.process.stderr
        seen = ""
        while "running on" not in seen:
            seen = self.process.stderr.readline()
            assert seen, "the service did not start"
        self.port = int(seen.split("127.0.0.1:")[1].split()[0])

    def ask(self, path: str, body: bytes | None = None) -> tuple[int, str, http.client.HTTPMessage]:
        with closing(http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)) as connection:
            connection.request("GET" if body is None else "POST", path, body)
            return received(connection)

    def refuses(self) -> bool:
        """Whether the port is closed. A connection made while it closes is dropped without an answer."""
        try:
            self.ask("/health")
        except ConnectionError as error:
            return isinstance(error, ConnectionRefusedError)
        return False

    def begin(self, body: bytes) -> http.client.HTTPConnection:
        """Send a request without its last byte."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        connection.putrequest("POST", "/read")
        connection.putheader("Content-Length", str(len(body)))
        connection.endheaders()
        connection.send(body[:-1])
        return connection

    def figure(self, name: str) -> float:
        lines = self.ask("/metrics")[1].splitlines()
        return float(dict(line.rsplit(" ", 1) for line in lines).get(name, 0))

    def wait_for(self, held: int) -> None:
        until = time.monotonic() + 30
        while self.figure("linetune_waiting") != held:
            assert time.monotonic() < until
            time.sleep(0.02)


def received(connection: http.client.HTTPConnection) -> tuple[int, str, http.client.HTTPMessage]:
    response = connection.getresponse()
    return response.status, response.read().decode(), response.headers


@pytest.fixture
def service(model: Path) -> Iterator[Running]:
    running = Running(model)
    yield running
    running.process.kill()
    running.process.communicate()


def test_the_service_reads_for_several_clients_and_refuses_what_it_cannot_read(
    service: Running, crops: list[Path], texts: list[str]
) -> None:
    assert service.ask("/health")[:2] == (200, "ok\n")
    contents = [path.read_bytes() for path in crops]
    with ThreadPoolExecutor(len(crops)) as clients:
        found = list(clients.map(lambda content: service.ask("/read", content), contents * 2))
    answers = [json.loads(text) for _, text, _ in found]
    assert [answer["text"] for answer in answers] == texts * 2
    assert all(0.5 < answer["confidence"] <= 1 and answer["accepted"] is None for answer in answers)
    assert service.figure("linetune_crops_total") == 2 * len(crops)
    assert service.figure("linetune_batches_total") < 2 * len(crops)
    assert service.ask("/read", b"no image")[:2] == (422, "the body: not an image that can be decoded\n")
    assert service.ask("/read", b"")[:2] == (422, "the body: image file is empty\n")
    assert service.ask("/read", bytes(2**19 + 1))[:2] == (413, "the body has more than 0.5 MiB\n")
    assert service.figure('linetune_requests_total{code="422"}') == 2
    assert service.figure("linetune_seconds_count") == 2 * len(crops) + 3
    assert service.figure('linetune_seconds_bucket{le="+Inf"}') == 2 * len(crops) + 3

    # The queue is full of requests that are not complete, then all of them are answered.
    with ExitStack() as stack:
        halves = [*contents, contents[0]]
        assert len(halves) == QUEUE
        half = [(stack.enter_context(closing(service.begin(content))), content) for content in halves]
        service.wait_for(QUEUE)
        status, text, headers = service.ask("/read", contents[0])
        assert (status, text, headers["Retry-After"]) == (503, "too many requests are waiting\n", "1")

        # SIGTERM refuses new requests and answers those that wait.
        service.process.send_signal(signal.SIGTERM)
        until = time.monotonic() + 30
        while not service.refuses():
            assert time.monotonic() < until
        for connection, content in half:
            connection.send(content[-1:])
        last = [json.loads(received(connection)[1])["text"] for connection, _ in half]
        assert last == [*texts, texts[0]]
    assert service.process.wait(30) == -signal.SIGTERM


@pytest.mark.parametrize("script", [SERVICE, CAMERA])
def test_a_missing_model_is_one_line(
    script: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    rest = ["0", "1", "2", "3", "4"] if script == CAMERA else []
    monkeypatch.setattr(sys, "argv", [str(script), "none.onnx", *rest])
    monkeypatch.setattr(signal, "signal", lambda number, handler: None)  # those of the tests stay
    with pytest.raises(SystemExit) as caught:
        runpy.run_path(str(script), run_name="__main__")
    assert caught.value.code == 2
    assert capsys.readouterr().err == "error: none.onnx: weights not found; correct the path\n"


def scene(crop: image.Crop | None) -> image.Crop:
    """A picture with a crop at x 30 and y 20, or without one."""
    frame = np.full((120, 400, 3), 128, np.uint8)
    if crop is not None:
        frame[20 : 20 + crop.shape[0], 30 : 30 + crop.shape[1]] = crop
    return frame


REGION = (30, 20, 230, 40)


@pytest.fixture(scope="module")
def camera() -> dict[str, Any]:
    return runpy.run_path(str(CAMERA))


def test_the_camera_writes_each_new_text_once(
    camera: dict[str, Any],
    model: Path,
    crops: list[Path],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    first, second = (image.read(path) for path in crops[:2])
    # A single frame of another text is outvoted.
    shown = [None, *[first] * 4, second, *[first] * 2, *[None] * 4, *[second] * 3]
    (tmp_path / "frames").mkdir()
    video = cv2.VideoWriter(str(tmp_path / "video.avi"), cv2.VideoWriter.fourcc(*"MJPG"), 25, (400, 120))
    for number, crop in enumerate(shown):
        image.write(tmp_path / f"frames/{number:03}.png", scene(crop))
        video.write(scene(crop))
    video.release()
    for source in (tmp_path / "frames", tmp_path / "video.avi"):
        camera["main"](str(model), str(source), REGION, votes=5, accept=0.6)
        rows = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
        assert [(row["frame"], row["text"]) for row in rows] == [(3, TEXTS[0]), (10, ""), (14, TEXTS[1])]
        assert 0.6 <= rows[0]["confidence"] <= 1
    camera["main"](str(model), str(tmp_path / "frames"), REGION, votes=5, accept=0.6, csv=True)
    table = capsys.readouterr().out.splitlines()
    assert table[0] == "time,frame,text,confidence"
    assert [line.split(",")[1:3] for line in table[1:]] == [["3", TEXTS[0]], ["10", ""], ["14", TEXTS[1]]]
    camera["main"](str(model), str(tmp_path / "frames"), REGION, accept=1.1)
    assert not capsys.readouterr().out
    with pytest.raises(LinetuneError, match="the region leaves the frame"):
        camera["main"](str(model), str(tmp_path / "frames"), (300, 20, 230, 40))
    with pytest.raises(LinetuneError, match="no frames"):
        camera["main"](str(model), str(tmp_path / "none.avi"), REGION)


def test_a_camera_that_drops_out_is_opened_again_and_only_its_newest_frame_counts(
    camera: dict[str, Any], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    wanted, grabbed, opened = threading.Event(), threading.Event(), list[object]()

    class Dropping:
        """A camera that drops out after its first frame, and then gives nine at once."""

        def __init__(self, source: object) -> None:
            opened.append(source)
            self.frames = iter([0] if len(opened) == 1 else range(1, 10))

        def read(self) -> tuple[bool, image.Crop | None]:
            if len(opened) == 2:
                wanted.wait()
            number = next(self.frames, None)
            if number is None and len(opened) == 2:
                grabbed.set()
                threading.Event().wait()
            return number is not None, None if number is None else np.full((9, 9, 3), number, np.uint8)

    monkeypatch.setattr(cv2, "VideoCapture", Dropping)
    frames = camera["frames"]("0")
    assert next(frames).max() == 0
    wanted.set()
    assert grabbed.wait(30)
    assert next(frames).max() == 9
    assert opened == [0, 0]
    assert capsys.readouterr().err == "0: no picture; trying again in 2 s\n"


def test_ctrl_c_ends_the_camera_cleanly(model: Path) -> None:
    process = started(CAMERA, model, "rtsp://127.0.0.1:9/none", *REGION)
    assert process.stderr
    assert any("no picture" in line for line in process.stderr)
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=30)
    assert (process.returncode, out, "Traceback" in err) == (0, "", False)


def test_the_notebook_runs_from_top_to_bottom(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(general, "FEWEST", 1000)  # everyday texts are not read, which saves time
    names: dict[str, Any] = {"__name__": "__main__"}
    cells = json.loads(NOTEBOOK.read_text("utf-8"))["cells"]
    for cell in cells:
        if cell["cell_type"] == "code":
            assert not cell["outputs"]
            exec("".join(cell["source"]), names)
    assert names["after"].exact_match > names["before"].exact_match
    assert "the trained model" in capsys.readouterr().out


def test_each_example_has_under_100_lines() -> None:
    for script in (SERVICE, CAMERA):
        assert len(script.read_text("utf-8").splitlines()) < 100
    cells = json.loads(NOTEBOOK.read_text("utf-8"))["cells"]
    assert sum(len(cell["source"]) for cell in cells) < 100
