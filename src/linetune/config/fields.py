"""What all sections of a run file share: strict models, and field types for paths and lists."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, ValidationInfo


class Section(BaseModel):
    """A section of a run file. It refuses unknown keys, and its values cannot be changed."""

    # Defaults are validated as well: a default of 0 is then 0.0, as in a saved file that is loaded again.
    # The docstrings of the keys are the reference of the run file (tools/site).
    model_config = ConfigDict(
        extra="forbid", frozen=True, validate_default=True, use_attribute_docstrings=True
    )


class FromShell(str):
    """A value from the command line. If it is a path, it is relative to the current folder."""


def resolve(value: Any, info: ValidationInfo) -> Any:
    """Return an absolute path. A path in a run file is relative to the folder of that file."""
    if not isinstance(value, (str, Path)) or not str(value):
        raise ValueError("expected a path")
    folder = Path.cwd() if isinstance(value, FromShell) else (info.context or {}).get("folder", Path.cwd())
    try:
        path = Path(value).expanduser()
    except RuntimeError:
        raise ValueError(f"no home folder for {value}") from None
    return Path(folder, path).resolve()


def as_list(value: Any) -> Any:
    """Return a single value as a list, since a run file may give one value without brackets."""
    return value if isinstance(value, list) else [value]


def refuse_repeated(values: list[Any]) -> list[Any]:
    """Return the values, or raise ValueError if one occurs twice."""
    for number, value in enumerate(values):
        if value in values[:number]:
            raise ValueError(f"{value} is named twice, and its crops would count twice; name it once")
    return values


FilePath = Annotated[Path, BeforeValidator(resolve)]
FilePaths = Annotated[list[FilePath], BeforeValidator(as_list), Field(min_length=1)]
LabelFiles = Annotated[FilePaths, AfterValidator(refuse_repeated)]
Probability = Annotated[float, Field(ge=0, le=1)]
