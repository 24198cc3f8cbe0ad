"""A whole import: from any source to a label file and a folder of images."""

from __future__ import annotations

import os
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from linetune.core import image, labelfile, textfile
from linetune.core.errors import LinetuneError, os_errors
from linetune.data.importers import cut, folder, texts
from linetune.data.importers.registry import READERS, choose
from linetune.data.importers.source import Box, Found, Item, Options, Source, Stream, outside
from linetune.data.importers.writing import Writer
from linetune.data.naming import Names

Progress = Callable[[int, int], None]
"""Called with the number of items done and the number of all items."""


@dataclass(frozen=True)
class Imported:
    """The result of an import."""

    labels: Path
    """The label file."""
    source: Path
    """The label file or folder that was read."""
    format: str
    count: int
    """Number of crops."""
    refused: list[LinetuneError]
    """Why something is left out, and where it is."""
    notes: list[str]
    """What the user should know about how the source was read."""

    def as_dict(self) -> dict[str, Any]:
        """Return the result for JSON."""
        return {
            "labels": str(self.labels),
            "source": str(self.source),
            "format": self.format,
            "imported": self.count,
            "refused": [{"place": str(error.where), "reason": error.what} for error in self.refused],
            "notes": self.notes,
        }


def import_crops(
    source: Path,
    target: Path,
    options: Options | None = None,
    overwrite: bool = False,
    progress: Progress = lambda done, total: None,
) -> Imported:
    """Write a source's crops to ``target/images`` and their labels to ``target/labels.txt``.

    Image files of crops are copied byte for byte. Boxes are cut out of their photos and written as PNG.

    Args:
        source: a label file, folder or store.
        target: a folder that is new, empty, or holds an earlier import.
        options: what the user says about the source.
        overwrite: replace the files that an earlier import wrote into ``target``, and no others.
        progress: called after each crop.

    Raises:
        LinetuneError: the format is unknown or ambiguous, the whole source is unusable, the target is in use,
            or every crop is left out. Then ``target`` stays as it was.
    """
    options = options or Options()
    own = target.resolve()
    name, entry = _chosen(source, own, options)
    old = folder.earlier(own, overwrite)
    reading = Source(entry, skip=own, **vars(options))
    if entry not in (source, source / entry.name):
        reading.notes.append(f"the source is {entry}, the only one in the subfolders")
    with os_errors("cannot be read", entry):
        items = READERS[name].read(reading)
    with folder.replacing(own, old) as part:
        replaced = {path.name.lower() for path in old}
        kept = (path.name for path in (own / folder.IMAGES).glob("*") if path.name.lower() not in replaced)
        writer = Writer(part / folder.IMAGES, Names(kept), options.upright, _common_folder(items))
        for number, item in enumerate(items, 1):
            writer.add(item)
            progress(number, len(items))
        if not writer.labels:
            raise _nothing_imported(entry, writer.refused)
        labels = ((f"{folder.IMAGES}/{file}", text) for file, text in writer.labels)
        labelfile.write_labels(part / folder.LABELS, labels)
        reading.notes += _image_notes(writer.texts_of, own, with_unused=not READERS[name].folder)
        notes = [*_notes(reading), *cut.notes(writer.remarks, writer.reach.values())]
        result = Imported(target / folder.LABELS, entry, name, len(writer.labels), writer.refused, notes)
        folder.write_record(part, [file for file, _ in writer.labels], result.as_dict())
    return result


def _chosen(source: Path, target: Path, options: Options) -> tuple[str, Path]:
    """Return the format's name and the label file or folder to read, after a check of the options.

    Raises:
        LinetuneError: an option does not apply, or see :func:`choose`.
    """
    if options.pattern is not None and options.form not in (None, "names"):
        hint = "leave it out, or pass --format names"
        raise LinetuneError(f"a pattern does not apply to the format {options.form}", "--pattern", hint)
    if options.images is not None and not options.images.is_dir():
        hint = "--images takes the folder that image paths are relative to"
        raise LinetuneError("no such folder", options.images, hint)
    if options.encoding is not None:
        textfile.check_encoding(options.encoding)
    name, entry = choose(source, "names" if options.pattern is not None else options.form, target)
    if options.images is not None and READERS[name].folder:
        raise LinetuneError(f"the format {name} has no image paths", "--images", "leave it out")
    for option, value in (("--text-column", options.text_column), ("--image-column", options.image_column)):
        if value is not None and not READERS[name].columns:
            hint = "leave it out, or pass --format csv"
            raise LinetuneError(f"the format {name} has no columns", option, hint)
    if entry.resolve().is_relative_to(target):
        raise LinetuneError("the source is inside the target", entry, "choose another --to")
    return name, entry


def _common_folder(items: Sequence[Item] | Stream) -> Path | None:
    """Return the folder below which all images are; None if they are in one folder or on several drives."""
    pixels = [item.pixels for item in items if isinstance(item, Found)]
    paths = [part.photo if isinstance(part, Box) else part for part in pixels]
    folders = {path.parent for path in paths if isinstance(path, Path)}
    try:
        return Path(os.path.commonpath(folders)) if len(folders) > 1 else None
    except ValueError:
        # Several drives, or absolute and relative paths.
        return None


def _image_notes(texts_of: dict[Path, set[str]], target: Path, with_unused: bool) -> list[str]:
    """Return notes about images without a label, if asked for, and about images with several texts."""
    notes = []
    if with_unused and (unused := _unused(texts_of, target)):
        notes.append(f"images in the same folder without a label: {len(unused)}, such as {unused[0]}")
    if several := [path for path, of_image in texts_of.items() if len(of_image) > 1]:
        notes.append(
            f"images with several different texts: {len(several)}, such as {several[0]}; if they are photos "
            "of several lines, cut the lines out first"
        )
    return notes


def _unused(used: Collection[Path], target: Path) -> list[Path]:
    """Return the other images in the folders of the used ones, without those below ``target``."""
    resolved = {path.resolve() for path in used}
    images = [
        path
        for images_folder in sorted({path.parent for path in used})
        for path in texts.files(images_folder, *image.SUFFIXES)
    ]
    return outside((path for path in images if path.resolve() not in resolved), target)


def _nothing_imported(entry: Path, refused: list[LinetuneError]) -> LinetuneError:
    if not refused:
        return LinetuneError("holds no labelled crops", entry, "label and export them in your tool first")
    example = refused[0]
    what = f"nothing can be imported, {len(refused)} left out, the first: {example.what}"
    return LinetuneError(what, example.where, example.hint)


def _notes(source: Source) -> list[str]:
    """Return the notes of a source, with those about encodings and about where images were found."""
    notes = list(source.notes)
    if source.gbk:
        more = f" and {len(source.gbk) - 1} more files" if len(source.gbk) > 1 else ""
        notes.append(f"not UTF-8, so read as GBK; check the texts of {source.gbk[0]}{more}")
    nowhere = "paths that lead to no image: {}; linetune takes images whose paths end in the same way"
    otherwise = "images whose names differ in Unicode form, capitals, spaces or quotes: {}"
    for what, images in ((nowhere, source.moved), (otherwise, source.twins)):
        if images:
            written, path = images[0]
            notes.append(f"{what.format(len(images))}, such as {str(path)!r} for {written!r}")
    return notes
