"""What files that no format here reads look like, so that a person is told more than their names."""

from __future__ import annotations

import re
from pathlib import Path

from linetune.core import files, image
from linetune.core.labelfile import spread
from linetune.data.importers import sidecar, texts

_ARCHIVES = {
    ".zip": "a ZIP archive", ".tar": "a tar archive", ".tgz": "a tar archive", ".gz": "a gzip archive",
    ".bz2": "a bzip2 archive", ".xz": "an xz archive", ".7z": "a 7-Zip archive", ".rar": "a RAR archive",
}  # fmt: skip
_SHEETS = {".xlsx", ".xls", ".xlsm", ".ods", ".numbers"}
_OTHERS = {
    ".db": "a database", ".sqlite": "a database", ".sqlite3": "a database", ".npz": "NumPy arrays",
    ".npy": "NumPy arrays", ".h5": "an HDF5 file", ".hdf5": "an HDF5 file", ".mat": "a MATLAB file",
    ".pkl": "a Python pickle", ".tfrecord": "TFRecord", ".mdb": "an LMDB store", ".lmdb": "an LMDB store",
    ".parquet": "Parquet", ".arrow": "Arrow", ".yaml": "YAML", ".yml": "YAML", ".html": "a web page",
    ".htm": "a web page", ".hocr": "hOCR", ".tab": "a table", ".dat": "data",
    ".lst": "a list", ".list": "a list",
}  # fmt: skip
_NAMESAKES = (".txt", ".gt.txt", ".xml", ".json")
"""How files end that may hold the labels of the image of that name."""
_LABELS = {
    *texts.TABLES,
    ".txt",
    ".json",
    ".jsonl",
    ".ndjson",
    ".xml",
    ".tab",
    ".lst",
    ".list",
    ".dat",
    ".gt",
}
"""How the names of label files end; scripts and logs name images as well."""
_TRIED = 20
"""Images of a folder whose names are looked for elsewhere."""
_NOT_READ = {
    ".heic", ".heif", ".tga", ".svg", ".psd", ".ico", ".jxl", ".exr", ".hdr", ".pcx", ".dng", ".cr2", ".cr3",
    ".nef", ".arw", ".raw",
}  # fmt: skip
"""How the names of images end that are not read."""
_NO_LABELS = re.compile(
    r"(readme|licen[cs]e|copying|notice|changelog)(\.(txt|md|rst))?|makefile|thumbs\.db|desktop\.ini",
    re.IGNORECASE,
)
"""The names of files that hold no labels."""
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
    """The files below a folder that are no images that are read, without those below ``skip``."""
    inside = [path for path in image.in_folder(folder)[1] if not _NO_LABELS.fullmatch(path.name)]
    return [path for path in inside if skip is None or not path.resolve().is_relative_to(skip)]


def beside(folder: Path, skip: Path | None) -> list[Path]:
    """Those of them that could hold labels."""
    return [path for path in others(folder, skip) if path.suffix.lower() not in _NOT_READ]


def above(folder: Path) -> list[Path]:
    """Files one folder up that begin with the name of an image, and namesakes in the folders there."""
    images = spread(image.in_folder(folder)[0], _TRIED)
    names = [path.name for path in images]
    try:
        inside = sorted(folder.resolve().parent.iterdir())
    except OSError:
        return []
    others = [p for p in inside if p.suffix.lower() in _LABELS and p.name[0] != "." and p.is_file()]
    naming = [path for path in others if any(name in texts.head(path) for name in names)]
    beside = [p for p in inside if p.is_dir() and p.name[0] != "." and p != folder.resolve()]
    alike = (p / (path.stem + suffix) for p in beside for path in images for suffix in _NAMESAKES)
    return naming + [path for path in alike if files.is_file(path)]


def looks_like(path: Path) -> str | None:
    """What a file is; ``None`` where it cannot be told."""
    suffix = path.suffix.lower()
    told = _ARCHIVES.get(suffix) or ("a spreadsheet" if suffix in _SHEETS else _OTHERS.get(suffix))
    if told and suffix not in (".html", ".htm", ".hocr"):
        return told
    content = texts.head(path)
    for pattern, name in _CONTENT:
        if pattern.search(content):
            return name
    first = next((row for _, row in texts.rows(content)), "")
    if suffix != ".txt" or not sidecar.is_box(first):
        return None
    way_out = "" if sidecar.is_box(first, surely=True) else " (--format txt takes them as texts)"
    return f"boxes, as of YOLO or ICDAR{way_out}"


def way_out(path: Path) -> str | None:
    """What to do with a file before it can be imported."""
    suffix = path.suffix.lower()
    if suffix in _ARCHIVES:
        return "unpack it, and import the folder"
    return "save it as CSV, and import that" if suffix in _SHEETS else None
