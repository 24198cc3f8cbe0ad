"""Print the lowest versions that pyproject.toml allows: python tests/floors.py [NAME==VERSION ...]

Arguments replace pins of the same package.
"""

from __future__ import annotations

import re
import sys
from pathlib import Path

_FLOOR = re.compile(r'"([A-Za-z][\w.-]*)(?:\[[\w,]+\])?>=([\d.]+)')
_PIN = re.compile(r'"([A-Za-z][\w-]*)==([\d.]+)"')
LEFT_OUT = frozenset(("setuptools", "paddlepaddle", "transformers"))
"""Packages that the tests do not need."""


def main() -> None:
    """Print one pin a line."""
    text = (Path(__file__).parents[1] / "pyproject.toml").read_text("utf-8")
    pins = dict(_FLOOR.findall(text)) | dict(_PIN.findall(text))
    pins |= dict(argument.split("==") for argument in sys.argv[1:])
    print("\n".join(f"{name}=={version}" for name, version in pins.items() if name not in LEFT_OUT))


if __name__ == "__main__":
    main()
