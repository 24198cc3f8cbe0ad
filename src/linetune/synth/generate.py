"""Renders many crops: into a folder that is kept and used again, or one after the other without files."""

from __future__ import annotations

import json
import pickle
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, nullcontext
from functools import partial
from pathlib import Path
from typing import Any

from linetune.config import Synth
from linetune.core import atomic, cache, image, labelfile, outputs, processes, untrusted
from linetune.core.errors import LinetuneError, os_errors
from linetune.core.image import Crop
from linetune.core.labelfile import Line
from linetune.rules.rule import identity
from linetune.synth import fonts, scene
from linetune.synth.pool import map_chunks
from linetune.synth.render import CROPS_PER_PHOTO, VERSION, Renderer
from linetune.synth.stored import with_store

LABELS = "labels.txt"
"""Name of the label file in the folder."""
MANIFEST = "synth.json"
"""Name of the file with the settings of the crops. A folder with this file is complete."""
_UNFINISHED = MANIFEST + ".part"
"""Name of the same file until the folder is complete."""


def generate(settings: Synth, progress: Callable[[int], None], workers: int | None = None) -> Path:
    """Render the crops of a configuration into its folder. Existing crops are used again.

    If the folder has fewer crops of the same settings, or rendering was interrupted, the missing ones are
    rendered. If it has enough, nothing changes. If its crops have other settings, they are replaced.

    Args:
        settings: what to render, and the folder.
        progress: called with the number of finished crops.
        workers: number of processes, by default one for each core. The crops do not depend on it.

    Returns:
        The label file.

    Raises:
        LinetuneError: the folder contains other files, another process fills it, the settings name no
            folder, or they cannot be rendered.
    """
    folder = _folder(settings)
    labels = folder / LABELS
    with cache.locked(folder) if processes.is_first() else nullcontext():
        if processes.from_first(is_current(settings)):
            progress(settings.count)
            return labels
        renderer = Renderer.of(settings)
        if processes.is_first():
            _prepare(settings, folder)
        processes.wait()
        texts: list[str] = []
        work = partial(_write_crops, renderer, folder)
        # If progress raises an error, the pool ends at once.
        with closing(map_chunks(work, settings.count, CROPS_PER_PHOTO, workers)) as chunks:
            for chunk in chunks:
                texts += chunk
                progress(len(texts))
        if processes.is_first():
            labelfile.write_labels(labels, ((_name(index), text) for index, text in enumerate(texts)))
            # The manifest comes last, since it marks the folder as complete.
            (folder / _UNFINISHED).replace(folder / MANIFEST)
        processes.wait()
    return labels


def stream(
    settings: Synth, workers: int | None = None, store: bool = True
) -> tuple[list[Line], Iterator[Crop]]:
    """Render the crops of a configuration without a folder. The cache keeps them for the next run.

    Args:
        settings: what to render. Its folder is not used.
        workers: number of processes, by default one for each core. The crops do not depend on it.
        store: whether to use the cache.

    Returns:
        All lines, and an iterator that renders their crops in the same order, 48 px high.

    Raises:
        LinetuneError: the settings cannot be rendered.
    """
    renderer = Renderer.of(settings)
    lines = [Line(Path(_name(i)), renderer.text(i), f"rendered line {i}") for i in range(settings.count)]

    def crops(first: int) -> Iterator[Crop]:
        work = partial(_resized_crops, renderer)
        with closing(map_chunks(work, settings.count, CROPS_PER_PHOTO, workers, first)) as chunks:
            for chunk in chunks:
                yield from chunk

    if not store:
        return lines, crops(0)
    files = [*fonts.find_files(settings.fonts), *renderer.photos]
    depends_on = json.dumps(_manifest(settings)).encode() + pickle.dumps(renderer.looks)
    return lines, with_store(crops, settings.count, depends_on, files)


def is_current(settings: Synth) -> bool:
    """Return whether the folder has all crops that these settings would render.

    Raises:
        LinetuneError: the settings name no folder, or a font, photo or label file does not exist.
    """
    folder = _folder(settings)
    manifest, count = _read_manifest(folder / MANIFEST)
    # Each file is checked, since a user may have deleted some.
    return (
        count >= settings.count
        and manifest == _manifest(settings)
        and (folder / LABELS).is_file()
        and all(_is_complete(folder / _name(index)) for index in range(settings.count))
    )


def _folder(settings: Synth) -> Path:
    if settings.output is None:
        raise LinetuneError(
            "no folder for the crops", "synth.output", "name one, for example synth.output=rendered"
        )
    return settings.output


def _name(index: int) -> str:
    return f"images/{index:06d}.jpg"


def _manifest(settings: Synth) -> dict[str, Any]:
    """Return everything that the crops depend on.

    Files are listed by name and size, because they may move to another folder.
    """
    # Absent if it is 0, since manifests of earlier versions do not have it.
    small = {"small_letters": settings.small_letters} if settings.small_letters else {}
    return small | {
        "renderer": VERSION,
        "rule": identity(settings),
        "fonts": _names_and_sizes(fonts.find_files(settings.fonts)),
        "backgrounds": _names_and_sizes(scene.find_photos(settings.backgrounds)) or None,
        "looks": _names_and_sizes(settings.looks) or None,
        **settings.model_dump(include={"style", "material", "half_turn", "seed"}),
    }


def _names_and_sizes(paths: Sequence[Path] | None) -> list[list[Any]]:
    sizes = []
    for path in paths or ():
        with os_errors("cannot read the file", path):
            sizes.append([path.name, path.stat().st_size])
    return sizes


def _read_manifest(path: Path) -> tuple[dict[str, Any], int]:
    """Read a manifest and its number of crops. Without a readable file they are empty and 0."""
    try:
        manifest = untrusted.parse_json(untrusted.read(path), path)
        count = manifest.pop("count", 0)
        return (manifest, count) if isinstance(count, int) else ({}, 0)
    except (OSError, LinetuneError, AttributeError):
        return {}, 0


def _is_complete(crop: Path) -> bool:
    """Return whether a crop's file exists and is not empty. Crops are written whole or not at all."""
    try:
        return crop.stat().st_size > 0
    except OSError:
        return False


def _prepare(settings: Synth, folder: Path) -> None:
    """Create the folder or mark it as unfinished, and delete crops of other settings.

    Raises:
        LinetuneError: the folder contains a user's files, or cannot be written to.
    """
    unfinished, manifest = folder / _UNFINISHED, _manifest(settings)
    outputs.is_filled(folder, (_UNFINISHED, MANIFEST), "rendered crops", "choose another synth.output")
    with os_errors("cannot be written to", folder):
        folder.mkdir(parents=True, exist_ok=True)
        if manifest not in (_read_manifest(unfinished)[0], _read_manifest(folder / MANIFEST)[0]):
            # Only files with our names are deleted. Files of a user stay.
            for crop in (folder / "images").glob("[0-9]" * 6 + ".jpg"):
                crop.unlink()
        (folder / "images").mkdir(exist_ok=True)
        with_count = manifest | {"count": settings.count}
        atomic.write_text(unfinished, json.dumps(with_count, indent=1, ensure_ascii=False))
        for outdated in (MANIFEST, LABELS):
            (folder / outdated).unlink(missing_ok=True)


def _write_crops(renderer: Renderer, folder: Path, indices: range) -> list[str]:
    """Render some crops into a folder, except those that exist, and return the texts of all."""
    for index in indices:
        if not _is_complete(folder / _name(index)):
            image.write(folder / _name(index), renderer(index)[0])
    return [renderer.text(index) for index in indices]


def _resized_crops(renderer: Renderer, indices: range) -> list[Crop]:
    # Small crops pass from one process to another faster.
    return [image.resize(renderer(index)[0]) for index in indices]
