"""Parquet and Arrow files of crops, like Hugging Face's data sets: the content of an image, and a text."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Any

from linetune.core.errors import LinetuneError
from linetune.data.importers import columns, texts
from linetune.data.importers.source import Format, Found, Item, Source, Stream

_PARQUET = ".parquet"
_SUFFIXES = (_PARQUET, ".arrow", ".feather")
_DAMAGED = "the file may be damaged: download or export it again"
_SHARD = re.compile(r"(?P<split>.*?)-?\d+(-of-(?P<count>\d+))?")
"""``train-00000-of-00002``, or ``0000`` in a folder with the name of the split."""
_SAMPLE_ROWS = 2000
"""Rows that decide which columns are image and text."""
_CHUNKS = 100_000
"""Most parts of a file: row groups times columns."""
_LARGE, _EXPANSION = 2**26, 50
"""Bytes of a row group, and its decompressed size over that of the file, from which a file is refused.

Images hardly shrink, and texts to a twentieth.
"""
_BATCH_ROWS = 64
"""Rows in memory at a time."""


def find(path: Path) -> list[Path]:
    """Return Parquet and Arrow files; of the shards of one data set only the first."""
    if path.is_file():
        return [path] if path.suffix.lower() in _SUFFIXES else []
    # The library datasets keeps its own results in files named cache-….
    inside = [file for file in texts.files(path, *_SUFFIXES) if not file.name.startswith("cache-")]
    return [file for file in inside if _shards(file)[0] == file]


def _shards(path: Path) -> list[Path]:
    """Return all existing shards of the data set that a file is a shard of, or the file alone."""
    own = _SHARD.fullmatch(path.stem)
    if own is None:
        return [path]
    key = own.group("split", "count")
    siblings = [(file, _SHARD.fullmatch(file.stem)) for file in texts.files(path.parent, path.suffix.lower())]
    return [file for file, match in siblings if match and match.group("split", "count") == key]


class _Table:
    """One Parquet or Arrow file.

    Raises:
        LinetuneError: the package pyarrow is missing, or the file is damaged.
    """

    def __init__(self, path: Path) -> None:
        try:
            import pyarrow
            import pyarrow.parquet
        except ImportError:
            hint = "pip install 'linetune[parquet]'"
            raise LinetuneError("reading Parquet needs the package pyarrow", path, hint) from None
        self.path = path
        # pyarrow raises RuntimeError for contradictions in the statistics of a file.
        known = (OSError, ValueError, TypeError, LookupError, ArithmeticError, RuntimeError)
        self.failures = (pyarrow.ArrowException, *known)
        self._pyarrow = pyarrow
        is_parquet = path.suffix.lower() == _PARQUET
        try:
            self._parquet = pyarrow.parquet.ParquetFile(path) if is_parquet else None
            if self._parquet:
                _check_expansion(self._parquet.metadata, path.stat().st_size)
            self.schema = self._parquet.schema_arrow if self._parquet else self._arrow().schema
            self.count = self._parquet.metadata.num_rows if self._parquet else sum(map(len, self._batches()))
        except self.failures as error:
            kind = "a Parquet" if is_parquet else "an Arrow"
            raise LinetuneError(f"not {kind} file ({_first_line(error)})", path, _DAMAGED) from None

    def rows(self, names: list[str]) -> Iterator[dict[str, Any]]:
        """Yield the rows: the cells of the named columns by their name."""
        if self._parquet:
            batches = self._parquet.iter_batches(batch_size=_BATCH_ROWS, columns=names)
        else:
            batches = (batch.select(names) for batch in self._batches())
        for batch in batches:
            # Arrow does not check files. Damaged offsets would lead outside the memory.
            batch.validate(full=True)
            for start in range(0, len(batch), _BATCH_ROWS):
                yield from batch.slice(start, _BATCH_ROWS).to_pylist()

    def _arrow(self) -> Any:
        """Return a reader of an Arrow stream, or of an Arrow or Feather file."""
        content = self._pyarrow.memory_map(str(self.path))
        ipc = self._pyarrow.ipc
        open_reader = ipc.open_file if content.read(6) == b"ARROW1" else ipc.open_stream
        content.seek(0)
        return open_reader(content)

    def _batches(self) -> Iterator[Any]:
        reader = self._arrow()
        if hasattr(reader, "get_batch"):
            return map(reader.get_batch, range(reader.num_record_batches))
        return iter(reader)


def _check_expansion(metadata: Any, size: int) -> None:
    """Check that no row group becomes far larger than the file when it is decompressed.

    pyarrow ends the program if the statistics of a column contradict themselves. We do not ask for them.

    Raises:
        ValueError: a row group does.
    """
    if metadata.num_row_groups * metadata.num_columns > _CHUNKS:
        raise ValueError("too many parts")
    for group in range(metadata.num_row_groups):
        whole = metadata.row_group(group).total_byte_size
        if whole > _LARGE and whole > _EXPANSION * size:
            raise ValueError("rows that would fill the memory when they are decompressed")


def read(source: Source) -> Stream | list[Item]:
    """Return one crop for each row of a file and of the other shards of its data set.

    Raises:
        LinetuneError: the package pyarrow is missing, a file is damaged, or the columns of image and text are
            not clear.
    """
    paths = _shards(source.path)
    tables = [_Table(path) for path in paths]
    if len(paths) > 1:
        source.notes.append(f"read the {len(paths)} files of one data set, {paths[0].name} is the first")
    own = _SHARD.fullmatch(source.path.stem)
    if own and own["count"] and int(own["count"]) > len(paths):
        total = int(own["count"])
        source.notes.append(f"{source.path.name} is one of {total} files; missing: {total - len(paths)}")
    schema = tables[0].schema
    if other := next((table for table in tables if table.schema.names != schema.names), None):
        raise LinetuneError(f"has other columns than {paths[0].name}", other.path, "import them one by one")
    types = {name: str(schema.field(name).type) for name in schema.names}
    images = [name for name, kind in types.items() if "binary" in kind]
    if len(images) > 1 and source.image_column is None:
        what = f"several columns hold images: {', '.join(images)}"
        raise LinetuneError(what, source.path, "pass --image-column with one of them")
    others = [name for name in types if name not in images]
    try:
        sample = list(islice(tables[0].rows(others), _SAMPLE_ROWS)) if others else []
    except tables[0].failures as error:
        raise LinetuneError(f"cannot be read ({_first_line(error)})", tables[0].path, _DAMAGED) from None
    cells = [[row.get(name) for name in types] for row in sample]
    known = list(types).index(images[0]) if images else None
    chosen = columns.choose(source, list(types), cells, source.path, known, "parquet")
    crops = partial(_crops, source, tables, list(types), chosen)
    # A second pass over paths would count the images that are moved or missing twice.
    has_pixels = list(types)[chosen.image] in images
    return Stream(sum(table.count for table in tables), crops) if has_pixels else list(crops())


def _crops(source: Source, tables: list[_Table], names: list[str], chosen: columns.Choice) -> Iterator[Item]:
    image, text = names[chosen.image], names[chosen.text]
    for table in tables:
        number = 0
        try:
            for number, row in enumerate(table.rows([image, text]), 1):
                place = f"{table.path}: row {number}"
                if isinstance(row[text], str):
                    yield _crop(source, chosen, row[image], row[text], place, f"row_{number}")
                else:
                    yield LinetuneError(f"no text in {text!r}", place, "write a text or delete the row")
        except table.failures as error:
            what = f"cannot be read after row {number} ({_first_line(error)})"
            yield LinetuneError(what, table.path, _DAMAGED)


def _crop(source: Source, chosen: columns.Choice, image: Any, text: str, place: str, stem: str) -> Item:
    """Return the crop of a row. The cell of its image has a path, the content of a file, or both.

    Args:
        source: where paths start.
        chosen: the columns of images and texts.
        image: the cell of the image.
        text: the label.
        place: the file and the row, for messages.
        stem: the name of a crop without a path.
    """
    content, path = (image.get("bytes"), image.get("path")) if isinstance(image, dict) else (image, None)
    if isinstance(content, str):
        content, path = None, content
    if content is not None:
        return Found(content, text, place, Path(path).stem if path else stem)
    if not path:
        return LinetuneError("no image", place, "add the image or delete the row")
    return source.label(chosen.path(path), text, place)


def _first_line(error: BaseException) -> str:
    return str(error).partition("\n")[0].rstrip(".")


FORMAT = Format(find, read, columns=True)
