"""Parquet and Arrow files of crops, like Hugging Face's data sets: the content of an image, and a text."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import Any, overload

from linetune.core.errors import LinetuneError
from linetune.data.importers import columns, texts
from linetune.data.importers.source import Format, Found, Item, Source

_PARQUET, _ARROW, _FEATHER = ".parquet", ".arrow", ".feather"
_SHARD = re.compile(r"(?P<split>.*?)-?\d+(-of-(?P<count>\d+))?")
"""``train-00000-of-00002``, or ``0000`` in a folder with the name of the split."""
_SAMPLE_ROWS = 2000
"""Rows that decide which columns are image and text."""
_BATCH_ROWS = 64
"""Rows in memory at a time."""


def find(path: Path) -> list[Path]:
    """Return Parquet and Arrow files; of the shards of one data set only the first."""
    if path.is_file():
        return [path] if path.suffix.lower() in (_PARQUET, _ARROW, _FEATHER) else []
    inside = texts.files(path, _PARQUET, _ARROW, _FEATHER)
    # The library datasets keeps its own results in files named cache-….
    return [file for file in inside if not file.name.startswith("cache-") and _shards(file)[0] == file]


def _shards(path: Path) -> list[Path]:
    """Return all existing shards of the data set that a file is a shard of, or the file alone."""
    own = _SHARD.fullmatch(path.stem)
    if own is None:
        return [path]
    siblings = [(file, _SHARD.fullmatch(file.stem)) for file in texts.files(path.parent, path.suffix.lower())]
    key = (own["split"], own["count"])
    return [file for file, match in siblings if match and (match["split"], match["count"]) == key]


class _Crops(Sequence[Item]):
    """Crops that are read a few at a time, because the files may be larger than memory."""

    def __init__(
        self, source: Source, tables: list[_Table], names: list[str], chosen: columns.Choice
    ) -> None:
        self._source = source
        self._tables = tables
        self._image = names[chosen.image]
        self._text = names[chosen.text]
        self._chosen = chosen

    def __len__(self) -> int:
        return sum(len(table) for table in self._tables)

    @overload
    def __getitem__(self, index: int) -> Item: ...
    @overload
    def __getitem__(self, index: slice) -> list[Item]: ...
    def __getitem__(self, index: int | slice) -> Item | list[Item]:
        if isinstance(index, slice):
            return list(self)[index]
        for item in islice(self, index, None):
            return item
        raise IndexError(index)

    def __iter__(self) -> Iterator[Item]:
        for table in self._tables:
            number = 0
            try:
                for number, row in enumerate(table.rows([self._image, self._text]), 1):
                    yield self._crop(row[self._image], row[self._text], f"{table.path}: row {number}", number)
            except table.failures as error:
                what = f"cannot be read after row {number} ({_first_line(error)})"
                yield LinetuneError(what, table.path)

    def _crop(self, image: Any, text: Any, place: str, number: int) -> Item:
        if not isinstance(text, str):
            return LinetuneError(f"no text in {self._text!r}", place)
        content, path = (image.get("bytes"), image.get("path")) if isinstance(image, dict) else (image, None)
        if isinstance(content, str):
            content, path = None, content
        if content is not None:
            return Found(content, text, place, Path(path).stem if path else f"row_{number}")
        if not path:
            return LinetuneError("no image", place)
        return self._source.label(self._chosen.path(path), text, place)


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
        self.failures = (pyarrow.ArrowException, OSError, ValueError)
        self._pyarrow = pyarrow
        try:
            self._parquet = pyarrow.parquet.ParquetFile(path) if path.suffix.lower() == _PARQUET else None
            self.schema = self._parquet.schema_arrow if self._parquet else self._arrow().schema
            counts = [self._parquet.metadata.num_rows] if self._parquet else map(len, self._batches())
            self._count = sum(counts)
        except self.failures as error:
            kind = "a Parquet" if path.suffix.lower() == _PARQUET else "an Arrow"
            raise LinetuneError(f"not {kind} file ({_first_line(error)})", path) from None

    def __len__(self) -> int:
        return self._count

    def rows(self, names: list[str]) -> Iterator[dict[str, Any]]:
        """Yield the rows: the cells of the named columns by their name."""
        if self._parquet:
            batches = self._parquet.iter_batches(batch_size=_BATCH_ROWS, columns=names)
        else:
            batches = (batch.select(names) for batch in self._batches())
        for batch in batches:
            # Arrow does not check files: damaged offsets would lead outside the memory.
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
            return (reader.get_batch(number) for number in range(reader.num_record_batches))
        return iter(reader)


def read(source: Source) -> Sequence[Item]:
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
    plain = [name for name in types if name not in images]
    try:
        sample = list(islice(tables[0].rows(plain), _SAMPLE_ROWS)) if plain else []
    except tables[0].failures as error:
        raise LinetuneError(f"cannot be read ({_first_line(error)})", tables[0].path) from None
    cells = [[row.get(name) for name in types] for row in sample]
    known = list(types).index(images[0]) if images else None
    chosen = columns.choose(source, list(types), cells, source.path, known, "parquet")
    return _Crops(source, tables, list(types), chosen)


def _first_line(error: BaseException) -> str:
    return str(error).partition("\n")[0].rstrip(".")


FORMAT = Format(find, read, columns=True)
