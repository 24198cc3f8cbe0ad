"""Files of formats that linetune does not read: what they look like, for messages."""

from __future__ import annotations

import re
from pathlib import Path

from linetune.core import files, image
from linetune.core.labelfile import spread
from linetune.data.importers import sidecar, texts
from linetune.data.importers.source import outside

_KINDS = {
    ".zip": "a ZIP archive", ".tar": "a tar archive", ".tgz": "a tar archive", ".gz": "a gzip archive",
    ".bz2": "a bzip2 archive", ".xz": "an xz archive", ".7z": "a 7-Zip archive", ".rar": "a RAR archive",
    ".xlsx": "a spreadsheet", ".xls": "a spreadsheet", ".xlsm": "a spreadsheet", ".ods": "a spreadsheet",
    ".numbers": "a spreadsheet",
    ".db": "a database", ".sqlite": "a database", ".sqlite3": "a database", ".npz": "NumPy arrays",
    ".npy": "NumPy arrays", ".h5": "an HDF5 file", ".hdf5": "an HDF5 file", ".mat": "a MATLAB file",
    ".pkl": "a Python pickle", ".tfrecord": "TFRecord", ".mdb": "an LMDB store", ".lmdb": "an LMDB store",
    ".parquet": "Parquet", ".arrow": "Arrow", ".yaml": "YAML", ".yml": "YAML", ".tab": "a table",
    ".dat": "data", ".lst": "a list", ".list": "a list",
}  # fmt: skip
STATES = ("fileState.txt", "Cache.cach")
"""Files in which PPOCRLabel keeps the state of its work. They hold no labels that a person has exported."""
_STATE = "the state of PPOCRLabel"
_NAMESAKES = (".txt", ".gt.txt", ".xml", ".json")
"""Ends of file names that may hold the label of the image with the same stem."""
_LABEL_SUFFIXES = {*texts.STRUCTURED, ".txt", ".xml", ".tab", ".lst", ".list", ".dat", ".gt"}
"""Suffixes of label files. Other files that name images, such as scripts and logs, are no label files."""
_SAMPLE = 20
"""Images of a folder whose names are looked for in other files."""
_UNREADABLE = {
    ".heic", ".heif", ".tga", ".svg", ".psd", ".ico", ".jxl", ".exr", ".hdr", ".pcx", ".dng", ".cr2", ".cr3",
    ".nef", ".arw", ".raw",
}  # fmt: skip
"""Suffixes of images that linetune does not read."""
_NO_LABELS = re.compile(
    r"(readme|licen[cs]e|copying|notice|changelog)(\.(txt|md|rst))?|makefile|thumbs\.db|desktop\.ini",
    re.IGNORECASE,
)
"""Names of files that hold no labels."""
_CONTENT = (
    (re.compile(r"<PcGts\b"), "PAGE XML"),
    (re.compile(r"<alto\b", re.IGNORECASE), "ALTO XML"),
    (re.compile(r"class=['\"]ocr_page"), "hOCR"),
    (re.compile(r"<annotation>.*<(filename|object)>", re.DOTALL), "Pascal VOC"),
    (re.compile(r"<annotations>.*<image\b", re.DOTALL), "CVAT XML"),
    (re.compile(r"<tagset>"), "ICDAR's or SVT's XML"),
    (re.compile(r'^\s*\{.*("_via_|"shape_attributes"\s*:)', re.DOTALL), "VGG Image Annotator"),
    (re.compile(r'^\s*\{.*"shapes"\s*:.*"imagePath"|^\s*\{.*"imagePath".*"shapes"', re.DOTALL), "LabelMe"),
    (re.compile(r'^\s*[\[{].*("original_width"|"completions"|"/data/upload/)', re.DOTALL), "Label Studio"),
    (re.compile(r'^\s*\{.*"annotations"\s*:.*\{.*"bbox"', re.DOTALL), "COCO"),
    (
        re.compile(r'^\s*\{.*"objects"\s*:\s*\[.*"tags"\s*:|^\s*\{.*"tags"\s*:.*"objects"\s*:', re.DOTALL),
        "Supervisely",
    ),
    (re.compile(r'^\s*\{\s*"form"\s*:\s*\['), "FUNSD"),
    (re.compile(r'^\s*\{\s*"[^"]+\.\w+"\s*:\s*"'), "docTR's labels: texts by file names"),
    (re.compile(r'^\s*\{\s*"[^"]+\.\w+"\s*:\s*\{[^}]*"polygons"', re.DOTALL), "docTR's boxes"),
)


def others(folder: Path, skip: Path | None) -> list[Path]:
    """Return the files below a folder that linetune does not read as images, without those below ``skip``."""
    return outside((path for path in image.in_folder(folder)[1] if not _NO_LABELS.fullmatch(path.name)), skip)


def beside(folder: Path, skip: Path | None) -> list[Path]:
    """Return the files below a folder that may hold labels, without those below ``skip``."""
    return [path for path in others(folder, skip) if path.suffix.lower() not in _UNREADABLE]


def above(folder: Path) -> list[Path]:
    """Return files outside a folder that may hold the labels of its images.

    These are the label files in the parent folder whose first 64 KiB contain the name of an image, and the
    files in the neighbouring folders that have the stem of an image.
    """
    images = spread(image.in_folder(folder)[0], _SAMPLE)
    resolved = folder.resolve()
    try:
        entries = [entry for entry in sorted(resolved.parent.iterdir()) if entry.name[0] != "."]
    except OSError:
        return []
    label_files = [entry for entry in entries if entry.suffix.lower() in _LABEL_SUFFIXES and entry.is_file()]
    naming = [file for file in label_files if any(path.name in texts.head(file) for path in images)]
    neighbours = [entry for entry in entries if entry.is_dir() and entry != resolved]
    namesakes = (near / (path.stem + end) for near in neighbours for path in images for end in _NAMESAKES)
    return naming + [path for path in namesakes if files.is_file(path)]


def looks_like(path: Path) -> str | None:
    """Return what kind of file a path is, for example "a ZIP archive"; None if nothing shows it."""
    if path.name in STATES:
        return _STATE
    suffix = path.suffix.lower()
    content = texts.head(path)
    by_content = (name for pattern, name in _CONTENT if pattern.search(content))
    if kind := _KINDS.get(suffix) or next(by_content, None):
        return kind
    first_row = next((row for _, row in texts.rows(content)), "")
    if suffix != ".txt" or not sidecar.is_box(first_row):
        return None
    hint = "" if sidecar.is_box(first_row, surely=True) else " (--format txt reads them as texts)"
    return f"boxes of YOLO or ICDAR{hint}"


def way_out(kind: str | None) -> str | None:
    """Return a hint that says how to make a file of this kind importable. None if linetune knows no way."""
    if kind == _STATE:
        return "choose File > Export Label in PPOCRLabel, which writes Label.txt, and import the folder again"
    if kind and kind.endswith("archive"):
        return "unpack it and import the folder"
    return "save it as CSV and import the CSV file" if kind == "a spreadsheet" else None
