"""Files of PaddleOCR's training weights: a pickle that may have arrays and nothing else.

No object of a pickle is made by its own class. Each name that a file of weights needs has a function here,
which checks what it gets. The unpickler is Python's own in Python: the one in C reserves memory for
any index that a file names.
"""

from __future__ import annotations

import pickle
from collections import OrderedDict
from collections.abc import Callable
from pathlib import Path
from typing import IO, Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from linetune.core import untrusted
from linetune.core.errors import LinetuneError

Arrays = dict[str, NDArray[np.float32]]
"""Arrays by PaddlePaddle's names."""
HINT = "choose the training weights of a recogniser of PaddleOCR"
_KINDS = "biuf"
"""Kinds of the numbers that an array may have. Objects could run code."""
_LONGEST = 200
"""Characters of a reason that a message shows."""
_WORD = 64
"""Bytes in memory for an entry of a tuple or a dictionary, at most."""
_OPERATIONS = 2_000_000
"""Most operations of a pickle. The weights of the largest official model take 20,000."""
_REFUSED = (
    "INST",
    "OBJ",
    "NEWOBJ",
    "NEWOBJ_EX",
    "EXT1",
    "EXT2",
    "EXT4",
    "PERSID",
    "BINPERSID",
    "NEXT_BUFFER",
    "EMPTY_SET",
    "ADDITEMS",
    "FROZENSET",
)
"""Operations that make objects by their classes, or from other files, or that weights do not need."""
_TYPE_NAME = 16
"""Characters of the name of a number type, at most."""


class _Type:
    """A number type. Its state has the order of the bytes."""

    def __init__(self, name: object) -> None:
        if not isinstance(name, str) or len(name) > _TYPE_NAME:
            raise pickle.UnpicklingError("it has arrays of an unknown type")
        found = np.dtype(name)
        if found.kind not in _KINDS or found.fields or found.subdtype:
            raise pickle.UnpicklingError("it has arrays of other things than numbers")
        self.dtype = found

    def set_state(self, state: Any) -> None:
        if state[1] in ("<", ">"):
            self.dtype = self.dtype.newbyteorder(state[1])


class _Array:
    """An array. Its state has the shape, the type and the bytes."""

    def __init__(self) -> None:
        self.value: NDArray[Any] | None = None

    def set_state(self, state: Any) -> None:
        _, shape, kind, by_columns, data = state
        self.value = _array(shape, kind, data, by_columns)


def _array(shape: Any, kind: Any, data: Any, by_columns: object = False) -> NDArray[Any]:
    """Return an array of bytes, which must be as many as its shape needs."""
    if isinstance(data, str):
        data = data.encode("latin1")
    dtype = (kind if isinstance(kind, _Type) else _Type(kind)).dtype
    return np.frombuffer(data, dtype).reshape(tuple(shape), order="F" if by_columns else "C")


def _from_buffer(data: Any, kind: Any, shape: Any, order: object) -> NDArray[Any]:
    return _array(shape, kind, data, order == "F")


def _number(kind: Any, data: Any) -> Any:
    return _array((), kind, data)[()]


def _ordered(*items: Any) -> OrderedDict[str, Any]:
    if items:
        raise pickle.UnpicklingError("it fills a dictionary by a call")
    return OrderedDict()


def _encoded(text: Any, encoding: object) -> bytes:
    if encoding not in ("latin1", "latin-1"):
        raise pickle.UnpicklingError("it asks for another encoding than latin1")
    return bytes(text.encode("latin1"))


def _empty(*_: object) -> _Array:
    return _Array()


def _kind(name: object, *_: object) -> _Type:
    return _Type(name)


_ADMITTED: dict[tuple[str, str], Callable[..., Any]] = {
    ("collections", "OrderedDict"): _ordered,
    ("builtins", "tuple"): tuple,
    ("__builtin__", "tuple"): tuple,  # its name in older pickles
    ("_codecs", "encode"): _encoded,
    ("numpy", "ndarray"): _array,
    ("numpy", "dtype"): _kind,
    ("numpy.core.multiarray", "_reconstruct"): _empty,
    ("numpy._core.multiarray", "_reconstruct"): _empty,
    ("numpy.core.multiarray", "scalar"): _number,
    ("numpy._core.multiarray", "scalar"): _number,
    ("numpy.core.numeric", "_frombuffer"): _from_buffer,
    ("numpy._core.numeric", "_frombuffer"): _from_buffer,
}


class _Unpickler(pickle._Unpickler):
    """Reads names, numbers and arrays.

    Args:
        file: the pickle.
        most: bytes that everything together may take in memory.
    """

    stack: list[Any]
    read: Callable[[int], bytes]
    pop_mark: Callable[[], list[Any]]
    dispatch: ClassVar[dict[int, Any]] = dict(pickle._Unpickler.dispatch)

    def __init__(self, file: _Counted, most: int) -> None:
        super().__init__(file, encoding="latin1")
        self._left = most

    def find_class(self, module: str, name: str) -> Any:
        if (module, name) not in _ADMITTED:
            raise pickle.UnpicklingError(f"it asks for {module}.{name}"[:_LONGEST])
        return _ADMITTED[module, name]

    def reduce(self) -> None:
        """Do what the operation REDUCE says: call one of our functions. One text may be used many times."""
        arguments, function = self.stack.pop(), self.stack[-1]
        if not any(function is admitted for admitted in _ADMITTED.values()):
            raise pickle.UnpicklingError("it calls something else than a function for arrays")
        made = function(*arguments)
        if isinstance(made, np.ndarray):
            self._take(made.nbytes)
        elif isinstance(made, bytes):
            self._take(len(made))
        elif isinstance(made, (tuple, dict)):
            self._take(_WORD * len(made))
        self.stack[-1] = made

    def set_state(self) -> None:
        """Do what the operation BUILD says, for arrays and their types only."""
        state, target = self.stack.pop(), self.stack[-1]
        if not isinstance(target, (_Array, _Type)):
            raise pickle.UnpicklingError("it sets the state of something else than an array")
        target.set_state(state)
        if isinstance(target, _Array) and target.value is not None:
            self._take(target.value.nbytes)

    def set_item(self) -> None:
        """Do what the operation SETITEM says."""
        value, key = self.stack.pop(), self.stack.pop()
        self._set(key, value)

    def set_items(self) -> None:
        """Do what the operation SETITEMS says."""
        items = self.pop_mark()
        for key, value in zip(items[::2], items[1::2], strict=True):
            self._set(key, value)

    def make_dict(self) -> None:
        """Do what the operation DICT says, which the oldest pickles have."""
        items = self.pop_mark()
        self.stack.append({})
        for key, value in zip(items[::2], items[1::2], strict=True):
            self._set(key, value)

    def skip_frame(self) -> None:
        """Skip the length of a frame, which is only a hint. Operations in a frame count like others."""
        self.read(8)

    def read_bytes(self) -> None:
        """Read the bytes of an array. Python's own function reserves memory for them before it reads."""
        self.stack.append(bytearray(self.read(int.from_bytes(self.read(8), "little"))))

    def _set(self, key: Any, value: Any) -> None:
        # To hash deeply nested tuples would overflow the stack of the process.
        if not isinstance(key, (str, int)) or not isinstance(self.stack[-1], dict):
            raise pickle.UnpicklingError("it has keys that are not names")
        self.stack[-1][key] = value

    def _take(self, size: int) -> None:
        self._left -= size
        if self._left < 0:
            raise pickle.UnpicklingError("its arrays are larger than the file")

    dispatch[pickle.REDUCE[0]] = reduce
    dispatch[pickle.BUILD[0]] = set_state
    dispatch[pickle.SETITEM[0]] = set_item
    dispatch[pickle.SETITEMS[0]] = set_items
    dispatch[pickle.DICT[0]] = make_dict
    dispatch[pickle.FRAME[0]] = skip_frame
    dispatch[pickle.BYTEARRAY8[0]] = read_bytes
    for _operation in _REFUSED:
        del dispatch[getattr(pickle, _operation)[0]]


class _Counted:
    """A file that gives at most as many operations as weights need, and no more bytes than it has."""

    def __init__(self, file: IO[bytes], size: int) -> None:
        self._file, self._size, self._left = file, size, _OPERATIONS

    def read(self, size: int) -> bytes:
        self._left -= 1
        if self._left < 0 or size > self._size:
            raise pickle.UnpicklingError("it has too many operations" if self._left < 0 else "it is cut off")
        return self._file.read(size)

    def readline(self) -> bytes:
        self._left -= 1
        return self._file.readline()


def read_pdparams(path: Path) -> Arrays:
    """Return the arrays of a ``.pdparams`` file by PaddlePaddle's names.

    Raises:
        LinetuneError: the file is missing, too large or damaged, or has anything except arrays.
    """
    try:
        untrusted.check_size(path, untrusted.MODEL, "model")
        with path.open("rb") as file:
            size = path.stat().st_size
            # Earlier versions pickle bytes as text, so that an array is there as text, bytes and itself.
            content = _Unpickler(_Counted(file, size), 3 * size + (1 << 20)).load()
    except LinetuneError:
        raise
    except FileNotFoundError:
        raise LinetuneError("weights not found", path, "correct the path") from None
    except Exception as error:  # a damaged pickle can raise nearly any error
        reason = " ".join(str(error).split())[:_LONGEST] or type(error).__name__
        raise LinetuneError(f"not a file with only arrays ({reason})", path, HINT) from None
    if not isinstance(content, dict):
        raise LinetuneError("not a file with named arrays", path, HINT)
    arrays: Arrays = {}
    left = 2 * size
    for name, value in content.items():
        # Newer versions store (name, array); "StructuredToParameterName@@" is a table of names.
        array = value[1] if isinstance(value, tuple) and len(value) == 2 else value
        array = array.value if isinstance(array, _Array) else array
        if isinstance(array, np.ndarray) and array.dtype.kind == "f":
            left -= array.size * 4  # one array may have several names
            if not array.size or left < 0:
                what = "an array without values" if left >= 0 else "arrays larger than the file"
                raise LinetuneError(what, path, HINT)
            arrays[str(name)] = array.astype(np.float32)
    if not arrays:
        raise LinetuneError("has no arrays", path, HINT)
    return arrays


class _ArrayPickler(pickle.Pickler):
    """Writes arrays as a call of ``numpy.ndarray``, a name that numpy 1 and 2 share."""

    def reducer_override(self, obj: Any) -> Any:
        if isinstance(obj, np.ndarray):
            return np.ndarray, (obj.shape, obj.dtype.str, obj.tobytes())
        return NotImplemented


def write_pdparams(path: Path, arrays: Arrays) -> None:
    """Write arrays as ``paddle.save`` would, for ``paddle.load``."""
    with path.open("wb") as file:
        _ArrayPickler(file, protocol=4).dump(dict(arrays))
