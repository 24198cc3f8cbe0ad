"""Read one place of a camera's picture again and again, and write each new text once.

    python examples/camera/camera.py MODEL.onnx 0 400 300 320 60 > texts.jsonl

The arguments are the model, the source, and the region: x, y, width and height in px. The source is the
number of a camera, the address of a stream (rtsp://...), a video file or a folder of frames. Of a camera,
only the newest frame is read, so no reading is late. If it drops out, it is opened again.

A frame votes for its text if the model's promise accepts the reading. Where the model has no promise, it
votes if the confidence is --accept or more. More than half of the last --votes frames decide. The promise
holds for single frames. Frames of one object repeat an error, so a vote promises nothing more. A row has a
new text, or an empty one when the text is gone. Rows are JSON lines, or a table with --csv.
"""

import json
import signal
import sys
import time
from collections import Counter, deque
from collections.abc import Iterator
from csv import DictWriter
from pathlib import Path
from threading import Thread

import cv2
import numpy as np
import typer

from linetune import LinetuneError, Recogniser
from linetune.core import image

Region = tuple[int, int, int, int]


def pictures(source: str) -> Iterator[image.Crop]:
    """Yield frames until there is none."""
    camera = cv2.VideoCapture(int(source) if source.isdecimal() else source)
    while (frame := camera.read()[1]) is not None:
        yield np.asarray(frame, np.uint8)


def watch(source: str, newest: deque[image.Crop]) -> None:
    """Keep the newest frame of a camera, for ever."""
    while True:
        for frame in pictures(source):
            newest.append(frame)
        print(f"{source}: no picture; trying again in 2 s", file=sys.stderr, flush=True)
        time.sleep(2)


def frames(source: str) -> Iterator[image.Crop]:
    """Yield frames: without end those of a camera, once each those of a file or folder."""
    if source.isdecimal() or "://" in source:
        newest = deque[image.Crop](maxlen=1)
        Thread(target=watch, args=[source, newest], daemon=True).start()
        while True:
            if newest:
                yield newest.pop()
            time.sleep(0.002)
    folder = Path(source)
    yield from map(image.read, sorted(image.in_folder(folder)[0])) if folder.is_dir() else pictures(source)


def main(
    model: str, source: str, region: Region, votes: int = 5, accept: float = 0.9, csv: bool = False
) -> None:
    """Write each text that comes into the picture, and an empty one when it is gone."""
    (x, y, width, height), last, shown = region, deque[str](maxlen=max(1, votes)), ""
    table = DictWriter(sys.stdout, ["time", "frame", "text", "confidence"], lineterminator="\n")
    if csv:
        table.writeheader()
    recogniser = Recogniser.load(model)
    for number, frame in enumerate(frames(source)):
        part = frame[y : y + height, x : x + width]
        if part.shape[:2] != (height, width):
            raise LinetuneError(
                f"the region leaves the frame of (height, width) {frame.shape[:2]} px", source
            )
        (reading,) = recogniser.read([part])
        accepted = reading.confidence >= accept if reading.accepted is None else reading.accepted
        last.append(reading.text if accepted else "")
        text, count = Counter(last).most_common(1)[0]
        if 2 * count > votes and text != shown:
            shown, now = text, time.strftime("%Y-%m-%dT%H:%M:%S%z")
            row = {"time": now, "frame": number, "text": text, "confidence": reading.confidence}
            table.writerow(row) if csv else print(json.dumps(row))
            sys.stdout.flush()
    if not last:
        raise LinetuneError("no frames", source, "name a camera, a video or a folder of images")


if __name__ == "__main__":
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: sys.exit())
    try:
        typer.run(main)
    except LinetuneError as error:
        print(f"error: {error}", file=sys.stderr)
        sys.exit(2)
