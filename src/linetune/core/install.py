"""The two installations: ``pip install linetune`` reads, ``pip install 'linetune[train]'`` does the rest."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from linetune.core.errors import LinetuneError

TRAIN = frozenset(
    {
        "filelock",
        "fontTools",
        "jinja2",
        "lxml",
        "matplotlib",
        "onnx",
        "platformdirs",
        "psutil",
        "pydantic",
        "pydantic_core",
        "rapidfuzz",
        "ruamel",
        "safetensors",
        "starlette",
        "stdnum",
        "tensorboardX",
        "torch",
        "uvicorn",
    }
)
"""The modules of the packages in the extra ``train`` of pyproject.toml."""
HINT = "pip install 'linetune[train]'"


@contextmanager
def needs_train() -> Iterator[None]:
    """Say how to install a package of the extra ``train`` that the block imports and that is missing.

    Raises:
        LinetuneError: the package is not installed.
    """
    try:
        yield
    except ModuleNotFoundError as error:
        package = (error.name or "").partition(".")[0]
        if package not in TRAIN:
            raise
        raise LinetuneError(f"this needs {package}, which is not installed", hint=HINT) from None
