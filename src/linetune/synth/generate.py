"""Rendering many crops: into a folder that is used again, or one after the other without files."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import closing
from functools import partial
from pathlib import Path
from typing import Any

from linetune.config import Synth
from linetune.core import atomic, cache, image, labelfile
from linetune.core.errors import LinetuneError, os_errors
from linetune.core.image import Crop
from linetune.core.labelfile import Line
from linetune.rules.rule import identity
from linetune.synth import fonts, scene
from linetune.synth.pool import in_chunks
from linetune.synth.render import CROPS_PER_PHOTO, VERSION, Renderer

LABELS = "labels.txt"
MANIFEST = "synth.json"
_UNFINISHED = MANIFEST + ".part"


def generate(settings: Synth, progress: Callable[[int], None], workers: int | None = None) -> Path:
    """Render the crops of a configuration into its folder, unless they exist.

    A folder with fewer crops of these settings, or with an interrupted rendering, is completed. A folder with
    more crops stays as it is. The crops of other settings are replaced.

    Args:
        settings: what to render, and the folder.
        progress: called with the number of crops that exist.
        workers: number of processes. None means one for each core. The crops do not depend on it.

    Returns:
        The label file.

    Raises:
        LinetuneError: the folder has other files, or the settings name no folder or cannot be rendered.
    """
    with cache.locked(_folder(settings)):
        return _generated(settings, progress, workers)


def _generated(settings: Synth, progress: Callable[[int], None], workers: int | None) -> Path:
    folder = _folder(settings)
    labels = folder / LABELS
    if is_current(settings):
        progress(settings.count)
        return labels
    renderer = Renderer.of(settings)
    _claim(settings)
    texts: list[str] = []
    work = partial(_write, renderer, folder)
    # Closed at once if progress raises, so that the pool ends.
    with closing(in_chunks(work, settings.count, CROPS_PER_PHOTO, workers)) as chunks:
        for chunk in chunks:
            texts += chunk
            progress(len(texts))
    labelfile.write_labels(labels, ((_name(index), text) for index, text in enumerate(texts)))
    # Last: a folder with a manifest is complete.
    (folder / _UNFINISHED).replace(folder / MANIFEST)
    return labels


def stream(settings: Synth, workers: int | None = None) -> tuple[list[Line], Iterator[Crop]]:
    """Render without a folder. Return the lines, and their crops while they are rendered.

    Raises:
        LinetuneError: the settings cannot be rendered.
    """
    renderer = Renderer.of(settings)
    lines = [Line(Path(_name(i)), renderer.text(i), f"rendered line {i}") for i in range(settings.count)]

    def crops() -> Iterator[Crop]:
        with closing(
            in_chunks(partial(_crops, renderer), settings.count, CROPS_PER_PHOTO, workers)
        ) as chunks:
            for chunk in chunks:
                yield from chunk

    return lines, crops()


def is_current(settings: Synth) -> bool:
    """Return whether the folder has all crops of these settings, or more.

    Raises:
        LinetuneError: the settings name no folder, or fonts or photos that do not exist.
    """
    folder = _folder(settings)
    stated, count = _stated(folder / MANIFEST)
    # Looked up one by one, because somebody may have deleted a few.
    return (
        count >= settings.count
        and stated == _manifest(settings)
        and (folder / LABELS).is_file()
        and all(_is_there(folder / _name(index)) for index in range(settings.count))
    )


def _folder(settings: Synth) -> Path:
    if settings.output is None:
        raise LinetuneError(
            "there is no folder for the crops", "synth.output", "set it, for example synth.output=rendered"
        )
    return settings.output


def _name(index: int) -> str:
    return f"images/{index:06d}.jpg"


def _manifest(settings: Synth) -> dict[str, Any]:
    """Return what the crops depend on. Files count by name and size, so that folders can be moved."""

    def listed(paths: list[Path]) -> list[list[Any]]:
        try:
            return [[path.name, path.stat().st_size] for path in paths]
        except OSError as error:
            raise LinetuneError("no such file", str(error.filename)) from None

    small = {"small_letters": settings.small_letters} if settings.small_letters else {}
    return small | {
        "renderer": VERSION,
        "rule": identity(settings),
        "fonts": listed(fonts.find_files(settings.fonts)),
        "backgrounds": listed(scene.find_photos(settings.backgrounds)) if settings.backgrounds else None,
        "looks": listed(settings.looks) if settings.looks else None,
        "style": settings.style,
        "material": settings.material,
        "half_turn": settings.half_turn,
        "seed": settings.seed,
    }


def _stated(path: Path) -> tuple[dict[str, Any], int]:
    """Return the content of a manifest file and its number of crops. Empty without a file."""
    try:
        stated = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}, 0
    return (stated, stated.pop("count", 0)) if isinstance(stated, dict) else ({}, 0)


def _is_there(path: Path) -> bool:
    try:
        return path.stat().st_size > 0
    except OSError:
        return False


def _claim(settings: Synth) -> None:
    """Mark the folder as ours and incomplete. Delete crops of other settings. Other files stay."""
    folder = _folder(settings)
    unfinished, manifest = folder / _UNFINISHED, _manifest(settings)
    with os_errors("cannot write", folder):
        folder.mkdir(parents=True, exist_ok=True)
        ours = unfinished.exists() or (folder / MANIFEST).exists()
        if not ours and any(not path.name.startswith(".") for path in folder.iterdir()):
            raise LinetuneError(
                "the folder holds files that are not rendered crops", folder, "choose an empty or new folder"
            )
        if manifest not in (_stated(unfinished)[0], _stated(folder / MANIFEST)[0]):
            for crop in (folder / "images").glob("[0-9]" * 6 + ".jpg"):
                crop.unlink()
        (folder / "images").mkdir(exist_ok=True)
        stated = manifest | {"count": settings.count}
        atomic.write_text(unfinished, json.dumps(stated, indent=1, ensure_ascii=False))
        for stale in (MANIFEST, LABELS):
            (folder / stale).unlink(missing_ok=True)


def _write(renderer: Renderer, folder: Path, indices: range) -> list[str]:
    """Write some crops and return their texts."""
    texts = []
    for index in indices:
        path = folder / _name(index)
        if _is_there(path):  # it was written before an interruption
            texts.append(renderer.text(index))
            continue
        crop, text = renderer(index)
        image.write(path, crop)
        texts.append(text)
    return texts


def _crops(renderer: Renderer, indices: range) -> list[Crop]:
    # At the network's height, which is smaller to pass between processes.
    return [image.resize(renderer(index)[0]) for index in indices]
