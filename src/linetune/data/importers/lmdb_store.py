"""LMDB stores of crops, in the layout of the text recognition benchmarks."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, overload

from linetune.core import encodings, textfile
from linetune.core.errors import LinetuneError
from linetune.data.importers.source import Format, Found, Item, Source

_FILE = "data.mdb"


def find(path: Path) -> list[Path]:
    """Return the folder that holds a data.mdb, or the ``.mdb`` or ``.lmdb`` file itself."""
    if path.is_dir():
        return [path] if (path / _FILE).is_file() else []
    return [path] if path.suffix.lower() in (".mdb", ".lmdb") else []


class _Crops(Sequence[Item]):
    """Crops that are read one by one, because a store may be larger than memory."""

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
            with self._store.begin() as transaction:
                image, label = (transaction.get(f"{kind}-{number}".encode()) for kind in ("image", "label"))
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
    """Return one crop for each number from 1 to ``num-samples``.

    Raises:
        LinetuneError: the package lmdb is missing, or the file is not such a store.
    """
    try:
        import lmdb
    except ImportError:
        hint = "pip install 'linetune[lmdb]'"
        raise LinetuneError("reading LMDB needs the package lmdb", source.path, hint) from None
    try:
        store = lmdb.open(
            str(source.path), subdir=source.path.is_dir(), readonly=True, lock=False, readahead=False
        )
        with store.begin() as transaction:
            samples = transaction.get(b"num-samples")
        stored = store.stat()["entries"]
    except lmdb.Error as error:
        raise LinetuneError(f"not an LMDB store ({error})", source.path) from None
    try:
        count = int(bytes(samples or b""))
    except ValueError:
        raise LinetuneError("no num-samples in the store", source.path) from None
    if count > stored:
        source.notes.append(f"num-samples says {count}, but the store has only {stored} entries")
    count = max(0, min(count, stored))
    try:
        encoding = _encoding(source, store, count)
    except LinetuneError:
        store.close()
        raise
    except lmdb.Error as error:
        store.close()
        raise LinetuneError(f"cannot be read ({error})", source.path) from None
    return _Crops(source, store, lmdb.Error, count, encoding)


def _encoding(source: Source, store: Any, count: int) -> str:
    """Return the encoding of all labels. One label alone holds too few characters to judge by."""
    if source.encoding is not None:
        return source.encoding
    with store.begin() as transaction:
        labels = (transaction.get(f"label-{number:09}".encode()) for number in range(1, count + 1))
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
