"""LMDB stores of crops, as the text recognition benchmarks have them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, overload

from linetune.core import encodings, textfile
from linetune.core.errors import LinetuneError
from linetune.data.importers.source import Format, Found, Item, Source

_FILE = "data.mdb"


def find(path: Path) -> list[Path]:
    """A folder with a data.mdb in it, or an ``.mdb`` file itself."""
    if path.is_dir():
        return [path] if (path / _FILE).is_file() else []
    return [path] if path.suffix.lower() in (".mdb", ".lmdb") else []


class _Store(Sequence[Item]):
    """Crops fetched one by one: a store may be larger than memory."""

    def __init__(
        self, source: Source, store: Any, failures: type[Exception], count: int, encoding: str
    ) -> None:
        self._source = source
        self._store = store
        self._failures = failures
        self._count = count
        self._encoding = encoding

    def __len__(self) -> int:
        return self._count

    @overload
    def __getitem__(self, index: int) -> Item: ...
    @overload
    def __getitem__(self, index: slice) -> list[Item]: ...
    def __getitem__(self, index: int | slice) -> Item | list[Item]:
        if isinstance(index, slice):
            return [self[i] for i in range(*index.indices(len(self)))]
        if not 0 <= index < self._count:
            raise IndexError(index)
        number = f"{index + 1:09}"
        place = f"{self._source.path}: {number}"
        try:
            with self._store.begin() as view:
                image, label = (view.get(f"{kind}-{number}".encode()) for kind in ("image", "label"))
        except self._failures as error:
            return LinetuneError(f"cannot be read ({error})", place)
        if image is None or label is None:
            return LinetuneError(f"no {'image' if image is None else 'label'}-{number} in the store", place)
        try:
            text = bytes(label).decode(self._encoding)
        except UnicodeError:
            return LinetuneError(f"the label is not {self._encoding}", place)
        return Found(bytes(image), text, place, f"crop_{number}")


def read(source: Source) -> Sequence[Item]:
    """A crop a number from 1 to ``num-samples``.

    Raises:
        LinetuneError: the package lmdb is missing, or the file is no such store.
    """
    try:
        import lmdb
    except ImportError:
        raise LinetuneError(
            "reading LMDB needs the package lmdb", source.path, "pip install 'linetune[lmdb]'"
        ) from None
    try:
        store = lmdb.open(
            str(source.path), subdir=source.path.is_dir(), readonly=True, lock=False, readahead=False
        )
        with store.begin() as view:
            number = view.get(b"num-samples")
        stored = store.stat()["entries"]
    except lmdb.Error as error:
        raise LinetuneError(f"not an LMDB store ({error})", source.path) from None
    try:
        count = int(bytes(number or b""))
    except ValueError:
        raise LinetuneError("no num-samples in the store", source.path) from None
    if count > stored:
        source.notes.append(f"num-samples says {count}, but the store has only {stored} entries")
    count = max(0, min(count, stored))
    try:
        encoding = _encoding(source, store, count)
    except (lmdb.Error, LinetuneError) as error:
        store.close()
        if isinstance(error, LinetuneError):
            raise
        raise LinetuneError(f"cannot be read ({error})", source.path) from None
    return _Store(source, store, lmdb.Error, count, encoding)


def _encoding(source: Source, store: Any, count: int) -> str:
    """The encoding of a store's labels: one of them tells little, all of them together much."""
    if source.encoding is not None:
        return source.encoding
    with store.begin() as view:
        labels = (view.get(f"label-{number:09}".encode()) for number in range(1, count + 1))
        joined = b"\n".join(bytes(label) for label in labels if label)
    try:
        _, name = textfile.decode(joined, source.path)
    except LinetuneError:
        if not encodings.judge(joined).damaged:
            raise
        return "utf-8"
    if name == "gbk":
        source.gbk.append(source.path)
    return name


FORMAT = Format(find, read)
