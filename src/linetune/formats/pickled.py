"""Files of PaddleOCR's training weights: a pickle that may have arrays and nothing else."""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from linetune.core.errors import LinetuneError

Arrays = dict[str, NDArray[np.float32]]
"""Arrays by PaddlePaddle's names."""
HINT = "choose the training weights of a recogniser of PaddleOCR"
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
    """Reads arrays only. Anything else in a pickle could run code."""

    def find_class(self, module: str, name: str) -> Any:
        if (module, name) not in _ADMITTED:
            raise pickle.UnpicklingError(f"it asks for {module}.{name}")
        return super().find_class(module, name)


class _ArrayPickler(pickle.Pickler):
    """Writes arrays as a call of ``numpy.ndarray``, a name that numpy 1 and 2 share."""

    def reducer_override(self, obj: Any) -> Any:
        if isinstance(obj, np.ndarray):
            return np.ndarray, (obj.shape, obj.dtype.str, obj.tobytes())
        return NotImplemented


def read_pdparams(path: Path) -> Arrays:
    """Return the arrays of a ``.pdparams`` file by PaddlePaddle's names.

    Raises:
        LinetuneError: the file is missing or damaged, or has anything except arrays.
    """
    try:
        with path.open("rb") as file:
            content = _ArrayUnpickler(file, encoding="latin1").load()
    except FileNotFoundError:
        raise LinetuneError("weights not found", path, "correct the path") from None
    except Exception as error:  # a damaged pickle can raise nearly any error
        raise LinetuneError(f"not a file with only arrays ({error})", path, HINT) from None
    if not isinstance(content, dict):
        raise LinetuneError("not a file with named arrays", path, HINT)
    arrays = {}
    for name, value in content.items():
        # Newer versions store (name, array); "StructuredToParameterName@@" is a table of names.
        array = value[1] if isinstance(value, tuple) and len(value) == 2 else value
        if isinstance(array, np.ndarray) and array.dtype.kind == "f":
            arrays[str(name)] = array.astype(np.float32)
    if not arrays:
        raise LinetuneError("has no arrays", path, HINT)
    return arrays


def write_pdparams(path: Path, arrays: Arrays) -> None:
    """Write arrays as ``paddle.save`` would, for ``paddle.load``."""
    with path.open("wb") as file:
        _ArrayPickler(file, protocol=4).dump(dict(arrays))
