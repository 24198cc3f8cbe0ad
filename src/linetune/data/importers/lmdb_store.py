"""LMDB stores of crops, in the layout of the text recognition benchmarks."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from linetune.core import encodings, textfile
from linetune.core.errors import LinetuneError
from linetune.data.importers.source import Format, Found, Item, Source, Stream

_DAMAGED = "the store may be damaged: copy it again from where it comes from"


def find(path: Path) -> list[Path]:
    """Return the folder that holds a data.mdb, or the ``.mdb`` or ``.lmdb`` file itself."""
    if path.is_dir():
        return [path] if (path / "data.mdb").is_file() else []
    return [path] if path.suffix.lower() in (".mdb", ".lmdb") else []


def read(source: Source) -> Stream:
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
        samples, stored = _value(store, "num-samples"), store.stat()["entries"]
    except lmdb.Error as error:
        raise LinetuneError(f"not an LMDB store ({error})", source.path, _DAMAGED) from None
    try:
        count = int(samples or b"")
    except ValueError:
        hint = "num-samples has to be the number of crops, as in the text recognition benchmarks"
        raise LinetuneError("no num-samples in the store", source.path, hint) from None
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
        raise LinetuneError(f"cannot be read ({error})", source.path, _DAMAGED) from None
    return Stream(count, lambda: (_crop(source, store, i + 1, encoding, lmdb.Error) for i in range(count)))


def _crop(source: Source, store: Any, number: int, encoding: str, failure: type[Exception]) -> Item:
    """Return the crop with a number, or the reason why it is left out."""
    key = f"{number:09}"
    place = f"{source.path}: {key}"
    try:
        image, label = (_value(store, f"{kind}-{key}") for kind in ("image", "label"))
    except failure as error:
        return LinetuneError(f"cannot be read ({error})", place, _DAMAGED)
    if image is None or label is None:
        missing = "image" if image is None else "label"
        return LinetuneError(f"no {missing}-{key} in the store", place)
    try:
        return Found(image, label.decode(encoding), place, f"crop_{key}")
    except UnicodeError:
        return LinetuneError(f"the label is not {encoding}", place, "pass its encoding with --encoding")


def _value(store: Any, key: str) -> bytes | None:
    """Return the value of a key. None if the store does not have the key."""
    with store.begin() as transaction:
        value: bytes | None = transaction.get(key.encode())
    return value


def _encoding(source: Source, store: Any, count: int) -> str:
    """Return the encoding of all labels. A single label has too few characters to show its encoding."""
    if source.encoding is not None:
        return source.encoding
    labels = (_value(store, f"label-{number:09}") for number in range(1, count + 1))
    joined = b"\n".join(filter(None, labels))
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
