"""Rendered crops: a folder of them made once and used again, or as they come; and a sheet to look at."""

from __future__ import annotations

import json
import os
import signal
from collections import deque
from collections.abc import Callable, Generator, Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import closing
from functools import partial
from multiprocessing import get_context
from pathlib import Path
from typing import Any, TypeVar

import cv2
import numpy as np

from linetune import atomic, image, records
from linetune.config import Synth
from linetune.errors import LinetuneError
from linetune.image import Crop
from linetune.records import Line
from linetune.rules.rule import identity
from linetune.synth import fonts, scene
from linetune.synth.render import CROPS_PER_PHOTO, VERSION, Renderer

T = TypeVar("T")

LABELS = "labels.txt"
MANIFEST = "synth.json"
_UNFINISHED = MANIFEST + ".part"
_TITLE = 28
"""Height of a title on a sheet, px."""
_MAX_WORKERS = 61
"""Windows cannot wait for more."""


def generate(settings: Synth, progress: Callable[[int], None], workers: int | None = None) -> Path:
    """Render the crops of a configuration, as far as they are not there already.

    A folder whose rendering was interrupted is completed; one with other settings is made anew.

    Args:
        settings: what to render, and the folder for it.
        progress: called with the number of crops that are there.
        workers: processes, all cores when ``None``; the crops do not depend on it.

    Returns:
        The label file.

    Raises:
        LinetuneError: the folder holds something else, or the settings name none or cannot be rendered.
    """
    folder = _folder(settings)
    labels = folder / LABELS
    if is_current(settings):
        progress(settings.count)
        return labels
    renderer = Renderer.of(settings)
    _claim(settings)
    texts: list[str] = []
    work = partial(_write, renderer, folder)
    # Closed at once when progress raises, so that the pool ends.
    with closing(_in_chunks(work, settings.count, workers)) as chunks:
        for chunk in chunks:
            texts += chunk
            progress(len(texts))
    records.write_labels(labels, ((_name(index), text) for index, text in enumerate(texts)))
    # Last of all: with a manifest, the folder is complete.
    (folder / _UNFINISHED).replace(folder / MANIFEST)
    return labels


def stream(settings: Synth, workers: int | None = None) -> tuple[list[Line], Iterator[Crop]]:
    """The same without a folder: the lines, and their crops as they are rendered.

    Raises:
        LinetuneError: the settings cannot be rendered.
    """
    renderer = Renderer.of(settings)
    lines = [Line(Path(_name(i)), renderer.text(i), f"rendered line {i}") for i in range(settings.count)]

    def crops() -> Iterator[Crop]:
        with closing(_in_chunks(partial(_list, renderer), settings.count, workers)) as chunks:
            for chunk in chunks:
                yield from chunk

    return lines, crops()


def is_current(settings: Synth) -> bool:
    """Whether the folder holds all that these settings would render.

    Raises:
        LinetuneError: the settings name no folder, or fonts or photos that are not there.
    """
    folder = _folder(settings)
    return (
        _stated(folder / MANIFEST) == _manifest(settings)
        and (folder / LABELS).is_file()
        and all((folder / _name(index)).is_file() for index in range(settings.count))
    )


def preview(settings: Synth, rows: int, columns: int) -> Crop:
    """A sheet of the first crops, in cells of 240 by 64 px; beside real ones, if the settings name some."""
    renderer = Renderer.of(settings)
    rendered = _sheet([renderer(index)[0] for index in range(rows * columns)], columns)
    if not settings.looks:
        return rendered
    lines = [line for path in settings.looks for line in records.read_labels(path)]
    # Spread over the files, since neighbours are often of one photo.
    step = max(1, len(lines) // (rows * columns))
    real = _sheet([image.read(line.image) for line in lines[::step][: rows * columns]], columns, rows)
    between = np.full((len(real), 12, 3), 255, np.uint8)
    return np.hstack(
        [
            _titled(real, "real"),
            np.pad(between, ((_TITLE, 0), (0, 0), (0, 0)), constant_values=255),
            _titled(rendered, "rendered"),
        ]
    )


def _sheet(crops: Sequence[Crop], columns: int, rows: int | None = None) -> Crop:
    rows = rows or -(-len(crops) // columns)
    sheet = np.full((rows * 64, columns * 240, 3), 127, np.uint8)
    for index, crop in enumerate(crops):
        scale = min(60 / crop.shape[0], 236 / crop.shape[1])
        size = max(1, int(crop.shape[1] * scale)), max(1, int(crop.shape[0] * scale))
        top, left = index // columns * 64, index % columns * 240
        small = cv2.resize(crop, size, interpolation=cv2.INTER_AREA)
        sheet[top : top + size[1], left : left + size[0]] = small
    return sheet


def _titled(sheet: Crop, title: str) -> Crop:
    titled = np.pad(sheet, ((_TITLE, 0), (0, 0), (0, 0)), constant_values=255)
    cv2.putText(titled, title, (4, _TITLE - 8), cv2.FONT_HERSHEY_SIMPLEX, 0.6, (0, 0, 0), 1, cv2.LINE_AA)
    return titled


def _folder(settings: Synth) -> Path:
    if settings.output is None:
        raise LinetuneError(
            "no folder for the crops", "synth.output", "set it, such as synth.output=rendered"
        )
    return settings.output


def _name(index: int) -> str:
    return f"images/{index:06d}.jpg"


def _manifest(settings: Synth) -> dict[str, Any]:
    """What the crops depend on; files by name and size, so that the folder may move with them."""

    def listed(paths: list[Path]) -> list[list[Any]]:
        return [[path.name, path.stat().st_size] for path in paths]

    return {
        "renderer": VERSION,
        "rule": identity(settings),
        "fonts": listed(fonts.find_files(settings.fonts)),
        "backgrounds": listed(scene.find_photos(settings.backgrounds)) if settings.backgrounds else None,
        "looks": listed(settings.looks) if settings.looks else None,
        "style": settings.style,
        "material": settings.material,
        "count": settings.count,
        "half_turn": settings.half_turn,
        "seed": settings.seed,
    }


def _stated(path: Path) -> Any:
    """What a manifest says, ``None`` where there is none."""
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None


def _claim(settings: Synth) -> None:
    """Make the folder ours and incomplete; crops of other settings go, what a user put there stays."""
    folder = _folder(settings)
    unfinished, manifest = folder / _UNFINISHED, _manifest(settings)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        ours = unfinished.exists() or (folder / MANIFEST).exists()
        if not ours and any(not path.name.startswith(".") for path in folder.iterdir()):
            raise LinetuneError(
                "the folder holds files that are not rendered crops", folder, "choose an empty or new folder"
            )
        if manifest not in (_stated(unfinished), _stated(folder / MANIFEST)):
            for crop in (folder / "images").glob("[0-9]" * 6 + ".jpg"):
                crop.unlink()
        (folder / "images").mkdir(exist_ok=True)
        atomic.write_text(unfinished, json.dumps(manifest, indent=1, ensure_ascii=False))
        for stale in (MANIFEST, LABELS):
            (folder / stale).unlink(missing_ok=True)
    except OSError as error:
        raise LinetuneError(f"cannot be written to ({error.strerror})", folder) from None


def _in_chunks(
    work: Callable[[range], list[T]], count: int, workers: int | None
) -> Generator[list[T], None, None]:
    """What some work gives for chunks of crops, in order, done by all cores or by ``workers``."""
    starts = range(0, count, CROPS_PER_PHOTO)
    chunks = [range(start, min(start + CROPS_PER_PHOTO, count)) for start in starts]
    workers = min(workers or os.cpu_count() or 1, len(chunks), _MAX_WORKERS)
    if workers == 1:
        yield from map(work, chunks)
        return
    # Spawned on every system: a fork would copy the locks of torch's and OpenCV's threads.
    pool = ProcessPoolExecutor(workers, get_context("spawn"), _start_worker, (work,))
    try:
        # Only so far ahead that no worker waits: what is done early stays in memory until its turn.
        ahead = deque[Future[list[T]]]()
        for chunk in chunks:
            ahead.append(pool.submit(_do, chunk))
            if len(ahead) > 4 * workers:
                yield ahead.popleft().result()
        while ahead:
            yield ahead.popleft().result()
    except BrokenProcessPool:
        raise LinetuneError(
            "a rendering process ended unexpectedly",
            hint="in a script of your own, call linetune below `if __name__ == '__main__':`",
        ) from None
    finally:
        # After Ctrl-C or an error, no further chunk is begun.
        pool.shutdown(cancel_futures=True)


_work: Callable[[range], list[Any]]
"""What a rendering process does; given to it once, since it may hold a thousand looks."""


def _start_worker(work: Callable[[range], list[Any]]) -> None:
    global _work
    _work = work
    # Ctrl-C reaches every process of a terminal; the first one ends the pool.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    cv2.setNumThreads(1)


def _do(indices: range) -> list[Any]:
    return _work(indices)


def _write(renderer: Renderer, folder: Path, indices: range) -> list[str]:
    """Texts of some crops, once all of them are written."""
    texts = []
    for index in indices:
        path = folder / _name(index)
        if path.exists():  # written whole, before an interruption
            texts.append(renderer.text(index))
            continue
        crop, text = renderer(index)
        image.write(path, crop)
        texts.append(text)
    return texts


def _list(renderer: Renderer, indices: range) -> list[Crop]:
    # At the network's height, since they pass from process to process.
    return [image.resize(renderer(index)[0]) for index in indices]
