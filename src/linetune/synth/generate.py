"""A folder of rendered crops and their labels, made once and used again."""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Callable, Generator
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import closing
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from linetune import image, records
from linetune.config import Synth
from linetune.errors import LinetuneError
from linetune.image import Crop
from linetune.synth import fonts, rule, scene
from linetune.synth.render import CROPS_PER_PHOTO, VERSION, Renderer

LABELS = "labels.txt"
MANIFEST = "synth.json"
_UNFINISHED = MANIFEST + ".part"
_MAX_WORKERS = 61
"""Windows cannot wait for more."""


def generate(settings: Synth, progress: Callable[[int], None], workers: int | None = None) -> Path:
    """Render the crops of a configuration, unless they are there already.

    Args:
        settings: what to render, and the folder for it.
        progress: called with the number of crops that are there.
        workers: processes, all cores when ``None``; the crops do not depend on it.

    Returns:
        The label file.

    Raises:
        LinetuneError: the folder holds something else, or the settings cannot be rendered.
    """
    labels = settings.output / LABELS
    if is_current(settings):
        progress(settings.count)
        return labels
    renderer = Renderer.of(settings)
    _claim(settings)
    texts: list[str] = []
    # Closed at once when progress raises, so that the pool ends.
    with closing(_rendered(renderer, settings, workers or os.cpu_count() or 1)) as chunks:
        for chunk in chunks:
            texts += chunk
            progress(len(texts))
    records.write_labels(labels, ((_name(index), text) for index, text in enumerate(texts)))
    # Last of all: with a manifest, the folder is complete.
    (settings.output / _UNFINISHED).replace(settings.output / MANIFEST)
    return labels


def is_current(settings: Synth) -> bool:
    """Whether the folder holds all that these settings would render.

    Raises:
        LinetuneError: the fonts or photos of the settings are not there.
    """
    try:
        there = json.loads((settings.output / MANIFEST).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return False
    return (
        there == _manifest(settings)
        and (settings.output / LABELS).is_file()
        and all((settings.output / _name(index)).is_file() for index in range(settings.count))
    )


def preview(settings: Synth, rows: int, columns: int) -> Crop:
    """The first crops on one sheet, in cells of 240 by 64 px."""
    renderer = Renderer.of(settings)
    sheet = np.full((rows * 64, columns * 240, 3), 127, np.uint8)
    for index in range(rows * columns):
        crop = renderer(index)[0]
        scale = min(60 / crop.shape[0], 236 / crop.shape[1])
        size = max(1, int(crop.shape[1] * scale)), max(1, int(crop.shape[0] * scale))
        top, left = index // columns * 64, index % columns * 240
        small = cv2.resize(crop, size, interpolation=cv2.INTER_AREA)
        sheet[top : top + size[1], left : left + size[0]] = small
    return sheet


def _name(index: int) -> str:
    return f"images/{index:06d}.jpg"


def _manifest(settings: Synth) -> dict[str, Any]:
    """What the crops depend on; files by name and size, so that the folder may move with them."""

    def listed(paths: list[Path]) -> list[list[Any]]:
        return [[path.name, path.stat().st_size] for path in paths]

    return {
        "renderer": VERSION,
        "rule": rule.identity(settings),
        "fonts": listed(fonts.find_files(settings.fonts)),
        "backgrounds": listed(scene.find_photos(settings.backgrounds)) if settings.backgrounds else None,
        "count": settings.count,
        "half_turn": settings.half_turn,
        "seed": settings.seed,
    }


def _claim(settings: Synth) -> None:
    """Make the folder ours and incomplete; what a user put there stays."""
    folder = settings.output
    unfinished = folder / _UNFINISHED
    try:
        folder.mkdir(parents=True, exist_ok=True)
        ours = unfinished.exists() or (folder / MANIFEST).exists()
        if not ours and any(not path.name.startswith(".") for path in folder.iterdir()):
            raise LinetuneError(
                "the folder holds files that are not rendered crops", folder, "choose an empty or new folder"
            )
        (folder / "images").mkdir(exist_ok=True)
        unfinished.write_text(json.dumps(_manifest(settings), indent=1, ensure_ascii=False), encoding="utf-8")
        for stale in (MANIFEST, LABELS):
            (folder / stale).unlink(missing_ok=True)
    except OSError as error:
        raise LinetuneError(f"cannot be written to ({error.strerror})", folder) from None


def _rendered(renderer: Renderer, settings: Synth, workers: int) -> Generator[list[str], None, None]:
    """Texts of the crops, chunk by chunk and in order, each once its crops are written."""
    starts = range(0, settings.count, CROPS_PER_PHOTO)
    chunks = [range(start, min(start + CROPS_PER_PHOTO, settings.count)) for start in starts]
    workers = min(workers, len(chunks), _MAX_WORKERS)
    if workers == 1:
        yield from (_render(renderer, settings.output, chunk) for chunk in chunks)
        return
    # Spawned on every system: a fork would copy the locks of torch's and OpenCV's threads.
    pool = ProcessPoolExecutor(workers, get_context("spawn"), _start_worker)
    try:
        for future in [pool.submit(_render, renderer, settings.output, chunk) for chunk in chunks]:
            yield future.result()
    except BrokenProcessPool:
        raise LinetuneError(
            "a rendering process ended unexpectedly",
            hint="in a script of your own, call linetune below `if __name__ == '__main__':`",
        ) from None
    finally:
        # After Ctrl-C or an error, no further chunk is begun.
        pool.shutdown(cancel_futures=True)


def _start_worker() -> None:
    # Ctrl-C reaches every process of a terminal; the first one ends the pool.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    cv2.setNumThreads(1)


def _render(renderer: Renderer, folder: Path, indices: range) -> list[str]:
    texts = []
    for index in indices:
        crop, text = renderer(index)
        image.write(folder / _name(index), crop)
        texts.append(text)
    return texts
