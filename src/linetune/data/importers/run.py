"""A whole import: from any source to a label file and a folder of images."""

from __future__ import annotations

import os
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from linetune.core import image, labelfile, textfile
from linetune.core.errors import LinetuneError, os_errors
from linetune.data.importers import cut, folder
from linetune.data.importers.registry import READERS, choose
from linetune.data.importers.source import Box, Found, Item, Source
from linetune.data.importers.writing import Writer
from linetune.data.naming import Names


@dataclass(frozen=True)
class Imported:
    """What came in, and what did not."""

    labels: Path
    source: Path
    format: str
    count: int
    refused: list[LinetuneError]
    """Why something is left out, with its place."""
    notes: list[str]
    """What a person should know of how the source was read."""

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
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
    form: str | None = None,
    images: Path | None = None,
    pattern: str | None = None,
    overwrite: bool = False,
    progress: Callable[[int, int], None] = lambda done, total: None,
    *,
    upright: bool = False,
    encoding: str | None = None,
    text_column: str | None = None,
    image_column: str | None = None,
) -> Imported:
    """Write a source's crops to ``target/images`` and their labels to ``target/labels.txt``.

    Crop files are copied byte for byte; boxes are cut out and written as PNG.

    Args:
        source: label file, folder or store.
        target: folder that is new, empty, or holds an import to overwrite.
        form: the source's format, a key of FORMATS; recognised by itself when None.
        images: folder that image paths are relative to; the label file's own when None.
        pattern: regular expression with a group ``text``, for labels in file names.
        overwrite: replace what an earlier import wrote into ``target``, and nothing else.
        progress: called with the number of crops done and of all.
        upright: boxes start at their own top left, whatever their first corner is.
        encoding: of label files, by Python's name; by :func:`textfile.decode` when None.
        text_column: column or key of the text, by its name, or by its number from 1.
        image_column: column or key of the image, likewise.

    Raises:
        LinetuneError: the format is unknown or ambiguous, the source unusable as a whole, the target in
            use, or no crop is left. The target is as it was.
    """
    if pattern is not None and form not in (None, "names"):
        raise LinetuneError(f"a pattern is of no use for {form}", "--pattern", "it is for --format names")
    if images is not None and not images.is_dir():
        raise LinetuneError("no such folder", images, "--images names the folder that paths start from")
    if encoding is not None:
        textfile.check_encoding(encoding)
    own = target.resolve()
    form = "names" if pattern is not None else form
    name, entry = choose(source, form, own)
    if images is not None and READERS[name].folder:
        raise LinetuneError(f"{name} has no image paths", "--images", "leave it out")
    for option, value in (("--text-column", text_column), ("--image-column", image_column)):
        if value is not None and not READERS[name].columns:
            raise LinetuneError(f"{name} has no columns", option, "leave it out, or pass --format csv")
    if entry.resolve().is_relative_to(own):
        raise LinetuneError("the source lies in the target", entry, "choose another --to")
    old = folder.earlier(own, overwrite)
    given = Source(
        entry,
        images,
        own,
        pattern,
        upright,
        encoding,
        text_column,
        image_column,
        asked=form is not None,
    )
    if entry not in (source, source / entry.name):
        given.notes.append(f"the source is {entry}, the only one in the subfolders")
    with os_errors("cannot be read", entry):
        items = READERS[name].read(given)
    with folder.replacing(own, old) as part:
        kept = {path.name.lower() for path in old}
        others = (own / folder.IMAGES).glob("*")
        names = Names(p.name for p in others if p.name.lower() not in kept)
        writer = Writer(part / folder.IMAGES, names, given.upright, _home(items))
        pairs: list[tuple[str, str]] = []
        texts_of: dict[Path, set[str]] = {}
        refused: list[LinetuneError] = []
        for number, item in enumerate(items, 1):
            try:
                if isinstance(item, LinetuneError):
                    raise item
                pairs.append((writer.add(item), item.text))
                if isinstance(item.pixels, Path):
                    texts_of.setdefault(item.pixels, set()).add(item.text)
            except LinetuneError as error:
                refused.append(error)
            progress(number, len(items))
        if not pairs:
            raise _nothing(entry, refused)
        if texts_of and not READERS[name].folder and (unused := _unused(texts_of, own)):
            given.notes.append(f"images beside them that no label names: {len(unused)}, such as {unused[0]}")
        if several := [path for path, texts in texts_of.items() if len(texts) > 1]:
            given.notes.append(
                f"images with several different texts: {len(several)}, such as {several[0]}; they may be "
                "photos of several lines, which have to be cut"
            )
        labelfile.write_labels(part / folder.LABELS, ((f"{folder.IMAGES}/{n}", text) for n, text in pairs))
        notes = [*_notes(given), *cut.notes(writer.remarks, writer.reach.values())]
        result = Imported(target / folder.LABELS, entry, name, len(pairs), refused, notes)
        folder.write_record(part, [n for n, _ in pairs], result.as_dict())
    return result


def _home(items: Sequence[Item]) -> Path | None:
    """The folder below which all images lie, where they lie in several."""
    pixels = [item.pixels for item in items if isinstance(item, Found)]
    paths = [each.photo if isinstance(each, Box) else each for each in pixels]
    folders = {path.parent for path in paths if isinstance(path, Path)}
    try:
        return Path(os.path.commonpath(folders)) if len(folders) > 1 else None
    except ValueError:
        # Several drives, or some relative.
        return None


def _unused(used: Collection[Path], skip: Path) -> list[Path]:
    """The images that lie beside the used ones."""
    resolved = {path.resolve() for path in used}
    beside = [
        path
        for folder in sorted({path.parent for path in used})
        for path in sorted(folder.iterdir())
        if path.suffix.lower() in image.SUFFIXES and path.name[0] != "."
    ]
    found = [path for path in beside if path.resolve() not in resolved]
    return [path for path in found if not path.resolve().is_relative_to(skip)]


def _nothing(entry: Path, refused: list[LinetuneError]) -> LinetuneError:
    if not refused:
        return LinetuneError("holds no labelled crops", entry)
    first = refused[0]
    what = f"nothing can be imported, {len(refused)} left out, the first: {first.what}"
    return LinetuneError(what, first.where, first.hint)


def _notes(source: Source) -> list[str]:
    notes = list(source.notes)
    if source.gbk:
        more = f" and {len(source.gbk) - 1} more files" if len(source.gbk) > 1 else ""
        notes.append(f"not UTF-8 and read as GBK, look at the texts: {source.gbk[0]}{more}")
    if source.moved:
        written, found = source.moved[0]
        notes.append(
            f"images found by the end of their path: {len(source.moved)}, such as {found} for {written}"
        )
    if source.twins:
        written, found = source.twins[0]
        differ = "images found by a name that differs in Unicode form, capitals, spaces or quotes"
        notes.append(f"{differ}: {len(source.twins)}, such as {str(found)!r} for {written!r}")
    return notes
