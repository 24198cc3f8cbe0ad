"""The import rule: a package imports only what stands lower, and some need no torch."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

SOURCE = Path(__file__).parents[1] / "src" / "linetune"

LAYERS = [
    {"errors", "atomic", "encodings"},
    {"cache", "files", "reading_order", "scripts", "textfile"},
    {"config", "charset", "device", "image", "records"},
    {"data", "augment", "models", "decode", "rules"},
    {"weights", "evaluation", "synth"},
    {"training", "export"},
    {"report", "recogniser"},
    {"cli"},
]
"""From the lowest up. Within a layer nothing imports another member, except where EXCEPTIONS say so."""
EXCEPTIONS = {("records", "image"), ("image", "records"), ("config", "charset")}
TORCH_FREE = [
    "charset",
    "image",
    "records",
    "data.check.clean",
    "data.groups",
    "data.split",
    "decode.read",
    "evaluation.comparison",
    "evaluation.confusions",
    "evaluation.general",
    "evaluation.metrics",
    "config",
    "report.errors",
    "report.findings",
    "report.page",
    "report.terminal",
    "cli",
]


def imports(path: Path) -> set[str]:
    """First-level linetune modules that a file imports."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.ImportFrom) and node.module:
            parts = node.module.split(".")
            if parts[0] == "linetune":
                found |= {parts[1]} if len(parts) > 1 else {alias.name for alias in node.names}
        elif isinstance(node, ast.Import):
            found |= {a.name.split(".")[1] for a in node.names if a.name.startswith("linetune.")}
    return found


def test_packages_import_only_what_stands_lower() -> None:
    level = {name: height for height, layer in enumerate(LAYERS) for name in layer}
    wrong = []
    for path in sorted(SOURCE.rglob("*.py")):
        inside = path.relative_to(SOURCE).with_suffix("").parts
        package = inside[0]
        if package.startswith("__"):
            continue
        for other in imports(path) - {package}:
            assert other in level, f"{path}: {other} has no layer"
            if level[other] >= level[package] and (package, other) not in EXCEPTIONS:
                wrong.append(f"{'/'.join(inside)} imports {other}")
    assert not wrong


def test_every_package_has_a_layer() -> None:
    names = {p.stem for p in SOURCE.iterdir() if p.suffix == ".py" or (p / "__init__.py").exists()}
    assert {n for n in names if not n.startswith("__")} == set().union(*LAYERS)


def test_reading_and_scoring_need_no_torch() -> None:
    modules = ", ".join(f"linetune.{name}" for name in TORCH_FREE)
    code = f"import sys, {modules}; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_the_command_line_is_there_before_opencv() -> None:
    """OpenCV reads how much it may print when it is imported, which is what the command line settles."""
    code = "import sys, linetune.cli; sys.exit('cv2' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
