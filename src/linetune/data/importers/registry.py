"""Which format a source has."""

from __future__ import annotations

from pathlib import Path

from linetune.data.importers import (
    FORMATS,
    alto,
    coco_text,
    cvat,
    doctr,
    icdar,
    icdar_boxes,
    label_studio,
    layout,
    lmdb_store,
    mmocr,
    paddleocr,
    page_xml,
    ppocrlabel,
    sidecar,
    table,
)
from linetune.data.importers.source import Format
from linetune.errors import LinetuneError, did_you_mean

READERS: dict[str, Format] = {
    "ppocrlabel": ppocrlabel.PHOTOS,
    "rec_gt": ppocrlabel.CROPS,
    "paddleocr": paddleocr.FORMAT,
    "icdar": icdar.FORMAT,
    "csv": table.FORMAT,
    "gt_txt": sidecar.FORMAT,
    "names": layout.NAMES,
    "folders": layout.FOLDERS,
    "lmdb": lmdb_store.FORMAT,
    "mmocr": mmocr.JSON,
    "jsonl": mmocr.LINES,
    "label_studio": label_studio.FORMAT,
    "page_xml": page_xml.FORMAT,
    "alto": alto.FORMAT,
    "cvat": cvat.FORMAT,
    "icdar_boxes": icdar_boxes.FORMAT,
    "doctr": doctr.FORMAT,
    "coco_text": coco_text.FORMAT,
}


def choose(path: Path, name: str | None = None) -> tuple[str, Path]:
    """The format's name, and the label file or folder to read.

    Args:
        path: a label file, a store, or a folder.
        name: the format, where the user says it; found by itself otherwise.

    Raises:
        LinetuneError: there is no such source or format, or several could be meant.
    """
    if name is not None and name not in READERS:
        raise LinetuneError(f"no format {name!r}", "--format", did_you_mean(name, READERS))
    if not path.exists():
        raise LinetuneError("no such file or folder", path)
    try:
        hits = _named(path, name) if name else _recognised(path)
    except OSError as error:
        raise LinetuneError(f"cannot be read ({error.strerror})", path) from None
    if len(hits) == 1:
        return hits[0]
    if hits:
        shown = " or ".join(f"{name} ({entry.name})" for name, entry in hits[:4])
        more = f" and {len(hits) - 4} more" if len(hits) > 4 else ""
        formats = {name for name, _ in hits}
        hint = "name one of them" + ("" if len(formats) == 1 else ", or pass --format NAME")
        raise LinetuneError(f"several sources in one: {shown}{more}", path, hint)
    if name:
        raise LinetuneError(f"nothing here is {name} ({FORMATS[name]})", path, "name the label file itself")
    raise LinetuneError("format not recognised", path, f"pass --format with one of {', '.join(FORMATS)}")


def _named(path: Path, name: str) -> list[tuple[str, Path]]:
    form = READERS[name]
    if form.folder:
        return [(name, path)] if path.is_dir() else []
    if path.is_file():
        return [(name, path)]
    return [(name, entry) for entry in (form.find_asked or form.find)(path)]


def _recognised(path: Path) -> list[tuple[str, Path]]:
    for guess in (False, True):
        hits = [(n, entry) for n, form in READERS.items() if form.guess is guess for entry in form.find(path)]
        if hits:
            return hits
    return []
