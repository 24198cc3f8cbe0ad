"""Which format a source has."""

from __future__ import annotations

import os
from pathlib import Path

from linetune.core import files, image
from linetune.core.errors import LinetuneError, did_you_mean, os_errors
from linetune.data.importers import (
    FORMATS,
    alto,
    coco_text,
    cvat,
    doctr,
    icdar,
    icdar_boxes,
    jsonl,
    label_studio,
    layout,
    lmdb_store,
    mmocr,
    paddleocr,
    page_xml,
    parquet,
    path_text,
    ppocrlabel,
    sidecar,
    table,
    unknown,
)
from linetune.data.importers.source import Format

READERS: dict[str, Format] = {
    "ppocrlabel": ppocrlabel.PHOTOS,
    "rec_gt": ppocrlabel.CROPS,
    "paddleocr": paddleocr.FORMAT,
    "path_text": path_text.FORMAT,
    "icdar": icdar.FORMAT,
    "csv": table.FORMAT,
    "gt_txt": sidecar.FORMAT,
    "txt": sidecar.PLAIN,
    "names": layout.NAMES,
    "folders": layout.FOLDERS,
    "lmdb": lmdb_store.FORMAT,
    "mmocr": mmocr.FORMAT,
    "jsonl": jsonl.FORMAT,
    "parquet": parquet.FORMAT,
    "label_studio": label_studio.FORMAT,
    "page_xml": page_xml.FORMAT,
    "alto": alto.FORMAT,
    "cvat": cvat.FORMAT,
    "icdar_boxes": icdar_boxes.FORMAT,
    "doctr": doctr.FORMAT,
    "coco_text": coco_text.FORMAT,
}
_SHOWN, _LOOKED_AT = 4, 20


def choose(path: Path, name: str | None = None, skip: Path | None = None) -> tuple[str, Path]:
    """The format's name, and the label file or folder to read.

    The names of files and folders are labels only where the user says so, or where nothing else is there
    that could hold labels.

    Args:
        path: a label file, a store, or a folder.
        name: the format, where the user says it; found by itself otherwise.
        skip: a folder in which nothing counts, the import's own target.

    Raises:
        LinetuneError: there is no such source or format, or several could be meant.
    """
    if name is not None and name not in READERS:
        raise LinetuneError(f"no format {name!r}", "--format", did_you_mean(name, READERS))
    # Unlike Path.exists, this takes a name that no file can have for one of no file.
    if not os.path.exists(path):  # noqa: PTH110
        raise LinetuneError("no such file or folder", path, files.missing_file_hint(path))
    with os_errors("cannot be read", path):
        hits = _named(path, name) if name else _recognised(path)
        if not hits and path.is_dir():
            hits = _below(path, name, skip)
        if not hits and not name:
            hits = _guessed(path, skip)
    if len(hits) == 1:
        return hits[0]
    if hits:
        raise _several(path, hits)
    if name:
        raise LinetuneError(f"nothing here is {name} ({FORMATS[name]})", path, "name the label file itself")
    raise _not_recognised(path, skip)


def _named(path: Path, name: str) -> list[tuple[str, Path]]:
    form = READERS[name]
    if form.folder:
        return [(name, path)] if path.is_dir() else []
    if path.is_file():
        return [(name, path)]
    return [(name, entry) for entry in (form.find_asked or form.find)(path)]


def _recognised(path: Path, guess: bool = False) -> list[tuple[str, Path]]:
    return [(n, entry) for n, form in READERS.items() if form.guess is guess for entry in form.find(path)]


def _below(path: Path, name: str | None, skip: Path | None) -> list[tuple[str, Path]]:
    """The sources in the folders below one; a folder in a folder that is a source is part of that."""
    hits: list[tuple[str, Path]] = []
    sources: list[Path] = []
    _, others = image.in_folder(path)
    folders = {file.parent for file in others}
    for folder in sorted(folders, key=lambda folder: (len(folder.parts), folder.as_posix())):
        part = any(folder.is_relative_to(source) for source in sources)
        if folder == path or part or (skip is not None and folder.resolve().is_relative_to(skip)):
            continue
        if found := _named(folder, name) if name else _recognised(folder):
            hits += found
            sources.append(folder)
    return hits


def _guessed(path: Path, skip: Path | None) -> list[tuple[str, Path]]:
    """Names as labels.

    Raises:
        LinetuneError: there are files that could hold the labels, or both kinds of names could be meant.
    """
    hits = _recognised(path, guess=True)
    others = unknown.beside(path, skip) or unknown.above(path) if hits else []
    if not others:
        if hits and layout.mixed(path, skip):
            what = "images lie in the folder and in its subfolders, so that no names are taken for labels"
            hint = "--format names takes those of the files, --format folders those of the subfolders"
            raise LinetuneError(what, path, hint)
        if hits and (doubt := layout.doubt(path, hits[0][0])):
            what = f"the names of {_kind(hits)} are not taken for labels, since {doubt}"
            pattern = "--pattern says which part of a file's name is the text"
            raise LinetuneError(what, path, f"--format {hits[0][0]} takes them all the same, {pattern}")
        return hits
    what = f"the names of {_kind(hits)} are not taken for labels, since {_told(others)}"
    raise LinetuneError(what, path, f"--format {hits[0][0]} takes the names all the same")


def _kind(hits: list[tuple[str, Path]]) -> str:
    return "files" if hits[0][0] == "names" else "folders"


def _told(others: list[Path]) -> str:
    """What could hold labels: how many files, and one of them that says what it is."""
    path, look = _telling(others)
    example = f"{path}, which looks like {look}" if look else str(path)
    if len(others) == 1:
        return f"labels could be in {example}"
    return f"labels could be in {len(others)} files, such as {example}"


def _telling(others: list[Path]) -> tuple[Path, str | None]:
    looks = ((path, unknown.looks_like(path)) for path in others[:_LOOKED_AT])
    return next(((path, look) for path, look in looks if look), (others[0], None))


def _several(path: Path, hits: list[tuple[str, Path]]) -> LinetuneError:
    below = all(entry.parent != path and entry != path for _, entry in hits)
    shown = [f"{name} ({entry.relative_to(path) if below else entry.name})" for name, entry in hits[:_SHOWN]]
    more = f" and {len(hits) - _SHOWN} more" if len(hits) > _SHOWN else ""
    if below:
        what = f"several sources in its subfolders: {', '.join(shown)}{more}"
        return LinetuneError(what, path, "import each by itself")
    formats = {name for name, _ in hits}
    hint = "name one of them" + ("" if len(formats) == 1 else ", or pass --format NAME")
    return LinetuneError(f"several sources in one: {' or '.join(shown)}{more}", path, hint)


def _not_recognised(path: Path, skip: Path | None) -> LinetuneError:
    others = [path] if path.is_file() else unknown.beside(path, skip)
    if not others and (outside := unknown.above(path)):
        hint = f"{outside[0]} may hold the labels, so import that, or the folder that holds both"
        return LinetuneError("format not recognised", path, hint)
    if not others:
        images = image.in_folder(path)[0]
        what = "images, but no labels" if images else "a folder without images and labels"
        hint = (
            f"--format names takes names as labels, such as {images[0].stem!r}" if images else "name another"
        )
        return LinetuneError(what, path, hint)
    example, look = _telling(others) if others else (path, None)
    of_it = "it" if example == path else str(example)
    what = f"format not recognised, though {of_it} looks like {look}" if look else "format not recognised"
    return LinetuneError(
        what, path, unknown.way_out(example) or f"pass --format with one of {', '.join(FORMATS)}"
    )
