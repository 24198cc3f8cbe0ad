"""PaddlePaddle's ``.pdparams``, without PaddlePaddle: a pickle that may hold arrays and nothing else."""

from __future__ import annotations

import pickle
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from linetune.core.errors import LinetuneError

_ADMITTED = {
    ("collections", "OrderedDict"),
    ("builtins", "tuple"),
    ("__builtin__", "tuple"),  # its name in older pickles
    ("_codecs", "encode"),
    ("numpy", "ndarray"),
    ("numpy", "dtype"),
    ("numpy.core.multiarray", "_reconstruct"),
    ("numpy._core.multiarray", "_reconstruct"),
    ("numpy.core.multiarray", "scalar"),
    ("numpy._core.multiarray", "scalar"),
    ("numpy.core.numeric", "_frombuffer"),
    ("numpy._core.numeric", "_frombuffer"),
}


class _ArrayUnpickler(pickle.Unpickler):
    """Admits what arrays are made of; anything else could run code."""

    def find_class(self, module: str, name: str) -> Any:
        if (module, name) not in _ADMITTED:
            raise pickle.UnpicklingError(f"it asks for {module}.{name}")
        return super().find_class(module, name)


class _ArrayPickler(pickle.Pickler):
    """Arrays as a call of ``numpy.ndarray``, the one name that numpy 1 and 2 have in common."""

    def reducer_override(self, obj: Any) -> Any:
        if isinstance(obj, np.ndarray):
            return np.ndarray, (obj.shape, obj.dtype.str, obj.tobytes())
        return NotImplemented


def read_pdparams(path: Path) -> dict[str, NDArray[np.float32]]:
    """The arrays of a ``.pdparams`` file by PaddlePaddle's names.

    Raises:
        LinetuneError: the file is missing, damaged, or holds anything but arrays.
    """
    try:
        with path.open("rb") as file:
            content = _ArrayUnpickler(file, encoding="latin1").load()
    except FileNotFoundError:
        raise LinetuneError("weights not found", path) from None
    except Exception as error:  # a damaged pickle raises nearly anything
        raise LinetuneError(f"not a file of arrays alone ({error})", path) from None
    if not isinstance(content, dict):
        raise LinetuneError("not a file of named arrays", path)
    arrays = {}
    for name, value in content.items():
        # Newer versions store (name, array); "StructuredToParameterName@@" is a table of names.
        array = value[1] if isinstance(value, tuple) and len(value) == 2 else value
        if isinstance(array, np.ndarray) and array.dtype.kind == "f":
            arrays[str(name)] = array.astype(np.float32)
    if not arrays:
        raise LinetuneError("holds no arrays", path)
    return arrays


def write_pdparams(path: Path, arrays: Mapping[str, NDArray[np.float32]]) -> None:
    """Write arrays as ``paddle.save`` would, for ``paddle.load``."""
    with path.open("wb") as file:
        _ArrayPickler(file, protocol=4).dump(dict(arrays))
