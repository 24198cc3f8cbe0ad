"""One ``.gt.txt`` beside each image, as tesstrain, kraken, calamari and OCRopus have it."""

from __future__ import annotations

from pathlib import Path

from linetune.data.importers.source import Format, Found, Item, Source
from linetune.errors import LinetuneError

END = ".gt.txt"
_VARIANTS = ("", ".raw", ".nrm", ".bin")
"""What may stand between the common stem and the image's suffix, the first found is taken."""


def find(path: Path) -> list[Path]:
    """The folder itself where such a file is in it."""
    return [path] if path.is_dir() and next(path.rglob(f"?*{END}"), None) else []


def read(source: Source) -> list[Item]:
    """A crop an image, with the one line of its text file."""
    labels = {
        path.with_name(path.name.removesuffix(END)): path
        for path in source.path.rglob(f"?*{END}")
        if path.is_file() and not path.name.startswith(".")
    }
    images: dict[Path, list[Path]] = {}
    for path in source.scan():
        whole = path.with_name(path.stem)
        images.setdefault(whole if whole in labels else _stem(path), []).append(path)
    found: list[Item] = []
    for stem in sorted({*images, *labels}, key=lambda path: path.as_posix()):
        if stem not in labels:
            found.append(LinetuneError(f"no {END} beside the image", images[stem][0]))
        elif stem not in images:
            found.append(LinetuneError("no image beside the text", labels[stem]))
        else:
            found.append(_one(source, labels[stem], images[stem]))
    return found


def _one(source: Source, label: Path, images: list[Path]) -> Item:
    stem = label.name.removesuffix(END)
    variants = ([path for path in images if path.stem == stem + variant] for variant in _VARIANTS)
    fitting = next(filter(None, variants))
    if len(fitting) > 1:
        return LinetuneError(f"several images: {', '.join(path.name for path in fitting)}", label)
    try:
        text = source.read_text(label).rstrip("\r\n")
    except LinetuneError as error:
        return error
    if "\n" in text:
        return LinetuneError("more than one line of text", f"{label}:2")
    return Found(fitting[0], text, f"{label}:1", stem)


def _stem(path: Path) -> Path:
    for variant in _VARIANTS[1:]:
        if path.stem.endswith(variant):
            return path.with_name(path.stem.removesuffix(variant))
    return path.with_name(path.stem)


FORMAT = Format(find, read, folder=True)
