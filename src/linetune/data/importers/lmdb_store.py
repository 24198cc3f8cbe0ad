"""LMDB stores of crops, in the layout of the text recognition benchmarks."""

from __future__ import annotations

from pathlib import Path

from linetune.core import encodings, textfile, untrusted
from linetune.core.errors import LinetuneError
from linetune.data.importers.lmdb_file import DamagedError, Store
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
        LinetuneError: the file is not such a store.
    """
    try:
        store = Store(source.path, untrusted.IMAGE)
        samples, stored = store.get(b"num-samples"), store.entries
    except DamagedError as error:
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
    except DamagedError as error:
        store.close()
        raise LinetuneError(f"cannot be read ({error})", source.path, _DAMAGED) from None
    return Stream(count, lambda: (_crop(source, store, i + 1, encoding) for i in range(count)))


def _crop(source: Source, store: Store, number: int, encoding: str) -> Item:
    """Return the crop with a number, or the reason why it is left out."""
    key = f"{number:09}"
    place = f"{source.path}: {key}"
    try:
        image, label = (store.get(f"{kind}-{key}".encode()) for kind in ("image", "label"))
    except DamagedError as error:
        return LinetuneError(f"cannot be read ({error})", place, _DAMAGED)
    if image is None or label is None:
        missing = "image" if image is None else "label"
        return LinetuneError(f"no {missing}-{key} in the store", place)
    try:
        return Found(image, label.decode(encoding), place, f"crop_{key}")
    except UnicodeError:
        return LinetuneError(f"the label is not {encoding}", place, "pass its encoding with --encoding")


def _encoding(source: Source, store: Store, count: int) -> str:
    """Return the encoding of all labels. A single label has too few characters to show its encoding."""
    if source.encoding is not None:
        return source.encoding
    labels: list[bytes] = []
    size = 0
    for number in range(1, count + 1):
        labels.append(store.get(f"label-{number:09}".encode()) or b"")
        size += len(labels[-1])
        if size > untrusted.TEXT:
            raise untrusted.too_large(source.path, untrusted.TEXT, "text of all labels")
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
