"""All formats, and which of them a source has."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TypeAlias

from linetune.core import files, image
from linetune.core.errors import LinetuneError, did_you_mean, os_errors
from linetune.data.importers import (
    FORMATS,
    coco_text,
    cvat,
    doctr,
    icdar,
    icdar_boxes,
    jsonl,
    label_studio,
    layout,
    lmdb_store,
    paddleocr,
    page_xml,
    parquet,
    path_text,
    ppocrlabel,
    sidecar,
    table,
    unknown,
)
from linetune.data.importers.source import Format, outside

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
    "mmocr": jsonl.MMOCR,
    "jsonl": jsonl.FORMAT,
    "parquet": parquet.FORMAT,
    "label_studio": label_studio.FORMAT,
    "page_xml": page_xml.PAGE,
    "alto": page_xml.ALTO,
    "cvat": cvat.FORMAT,
    "icdar_boxes": icdar_boxes.FORMAT,
    "doctr": doctr.FORMAT,
    "coco_text": coco_text.FORMAT,
}
_MOST_SHOWN = 4
"""Sources that a message lists."""
_MOST_SNIFFED = 20
"""Files of unknown formats that linetune opens to find one whose kind it can name."""

_Hit: TypeAlias = tuple[str, Path]
"""The name of a format, and the label file or folder that has it."""


def choose(path: Path, name: str | None = None, skip: Path | None = None) -> tuple[str, Path]:
    """Return the name of the format and the label file or folder to read.

    Names of files and folders are labels only if the user says so, or if no other file may hold labels.

    Args:
        path: a label file, a store, or a folder.
        name: the format that the user named.
        skip: a resolved folder that is left out, the target of the import.

    Raises:
        LinetuneError: the source or the format does not exist, or there are several sources.
    """
    if name is not None and name not in READERS:
        raise LinetuneError(f"unknown format {name!r}", "--format", did_you_mean(name, READERS))
    # Path.exists would raise an error for a name that no file can have.
    if not os.path.exists(path):  # noqa: PTH110
        raise LinetuneError("no such file or folder", path, files.missing_file_hint(path))
    with os_errors("cannot be read", path):
        hits = _of_format(path, name) if name else _recognised(path)
        if not hits and path.is_dir():
            hits = _in_subfolders(path, name, skip)
        if not hits and not name:
            hits = _names_as_labels(path, skip)
    if len(hits) == 1:
        return hits[0]
    if hits:
        raise _several_sources(path, hits)
    if name:
        hint = "pass the path of the label file"
        raise LinetuneError(f"no source of the format {name} ({FORMATS[name]})", path, hint)
    raise _not_recognised(path, skip)


def _of_format(path: Path, name: str) -> list[_Hit]:
    """Return the sources of the format that the user named."""
    form = READERS[name]
    if form.folder:
        return [(name, path)] if path.is_dir() else []
    if path.is_file():
        return [(name, path)]
    return [(name, entry) for entry in (form.find_asked or form.find)(path)]


def _recognised(path: Path, guess: bool = False) -> list[_Hit]:
    return [
        (name, entry) for name, form in READERS.items() if form.guess is guess for entry in form.find(path)
    ]


def _in_subfolders(path: Path, name: str | None, skip: Path | None) -> list[_Hit]:
    """Return the sources in the subfolders. A folder inside a source is a part of that source."""
    hits: list[_Hit] = []
    sources: list[Path] = []
    _, others = image.in_folder(path)
    folders = {file.parent for file in others} - {path}
    for folder in sorted(outside(folders, skip), key=lambda folder: (len(folder.parts), folder.as_posix())):
        if any(folder.is_relative_to(source) for source in sources):
            continue
        if in_folder := _of_format(folder, name) if name else _recognised(folder):
            hits += in_folder
            sources.append(folder)
    return hits


def _names_as_labels(path: Path, skip: Path | None) -> list[_Hit]:
    """Return the folder if the names of its files or subfolders are labels.

    Raises:
        LinetuneError: the names are probably not labels, other files may hold the labels, or both files and
            folders may be named after the labels.
    """
    hits = _recognised(path, guess=True)
    if not hits:
        return []
    form = hits[0][0]
    refusal = (
        f"linetune does not use the names of {'files' if form == 'names' else 'folders'} as labels, because"
    )
    hint = f"pass --format {form} to use the names anyway"
    if others := unknown.beside(path, skip) or unknown.above(path):
        hint = ", or ".join(filter(None, (unknown.way_out(_example(others)[1]), hint)))
        raise LinetuneError(f"{refusal} {_possible_labels(others)}", path, hint)
    if layout.mixed(path, skip):
        what = "linetune does not use names as labels, because images are in the folder and in its subfolders"
        choice = "pass --format names to use the file names, or --format folders to use the subfolders' names"
        raise LinetuneError(what, path, choice)
    if doubt := layout.doubt(path, form):
        pattern = ", or --pattern to say which part of a file name is the text" if form == "names" else ""
        raise LinetuneError(f"{refusal} {doubt}", path, hint + pattern)
    return hits


def _possible_labels(others: list[Path]) -> str:
    """Return a clause about files that may hold the labels: how many, and an example."""
    path, kind = _example(others)
    example = f"{path}, which looks like {kind}" if kind else str(path)
    if len(others) == 1:
        return f"labels could be in {example}"
    return f"labels could be in {len(others)} files, such as {example}"


def _example(others: list[Path]) -> tuple[Path, str | None]:
    """Return a file and its kind: the first file of a known kind, or else the first file."""
    kinds = ((path, unknown.looks_like(path)) for path in others[:_MOST_SNIFFED])
    return next(((path, kind) for path, kind in kinds if kind), (others[0], None))


def _several_sources(path: Path, hits: list[_Hit]) -> LinetuneError:
    below = all(entry.parent != path and entry != path for _, entry in hits)
    sources = [f"{name} ({entry.relative_to(path) if below else entry.name})" for name, entry in hits]
    more = f" and {len(hits) - _MOST_SHOWN} more" if len(hits) > _MOST_SHOWN else ""
    several = "several sources in its subfolders" if below else "several sources"
    if below:
        hint = "import them one by one"
    else:
        hint = "pass the path of one of them" + (", or --format NAME" if len(dict(hits)) > 1 else "")
    return LinetuneError(f"{several}: {' or '.join(sources[:_MOST_SHOWN])}{more}", path, hint)


def _not_recognised(path: Path, skip: Path | None) -> LinetuneError:
    others = [path] if path.is_file() else unknown.beside(path, skip)
    if others:
        example, kind = _example(others)
        name = "it" if example == path else str(example)
        what = "format not recognised" + (f" ({name} looks like {kind})" if kind else "")
        hint = unknown.way_out(kind) or f"pass --format with one of {', '.join(FORMATS)}"
        return LinetuneError(what, path, hint)
    if elsewhere := unknown.above(path):
        hint = f"the labels may be in {elsewhere[0]}: import that, or the folder that holds both"
        return LinetuneError("format not recognised", path, hint)
    if images := image.in_folder(path)[0]:
        hint = f"add the label file, or pass --format names if names like {images[0].stem!r} are labels"
        return LinetuneError("the folder holds images, but no labels", path, hint)
    return LinetuneError("the folder holds no images and no labels", path, "choose another folder")
