"""The import rule: a package imports only what stands lower, and some need no torch."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

SOURCE = Path(__file__).parents[1] / "src" / "linetune"

LAYERS = [
    {"core.errors", "core.plausible", "core.progress"},
    {"core.encodings", "core.install", "core.untrusted"},
    {
        "core.atomic",
        "core.outputs",
        "core.cache",
        "core.device",
        "core.files",
        "core.processes",
        "core.reading_order",
        "core.scripts",
        "core.signals",
        "core.textfile",
    },
    {"core.charset", "core.image", "core.labelfile"},
    {"core.aliases"},
    {"config"},
    {"rules"},
    {"paddle_config", "data", "augment", "models", "decode"},
    {"formats", "evaluation", "synth"},
    {"training", "drafting"},
    {"analysis"},
    {"report", "recogniser", "doctor"},
    {"review", "hub"},
    {"cli"},
]
"""From the lowest up. Within a layer no member imports another."""
TORCH_FREE = [
    "core.charset",
    "core.image",
    "core.labelfile",
    "data.check.clean",
    "data.groups",
    "data.split",
    "decode.by_rule",
    "decode.read",
    "formats.onnx_reader",
    "recogniser",
    "evaluation.comparison",
    "evaluation.general",
    "evaluation.metrics",
    "evaluation.result",
    "config",
    "doctor",
    "paddle_config",
    "report.evaluation",
    "report.findings",
    "report.misread",
    "report.page",
    "report.run",
    "report.terminal",
    "review.server",
    "cli",
]


def member(module: str) -> str:
    """The layers' name of a module: its package, or inside ``core`` the module itself."""
    parts = module.split(".")
    return ".".join(parts[1:3] if parts[1:2] == ["core"] else parts[1:2])


def imports(path: Path) -> set[str]:
    """The members of layers that a file imports."""
    modules = set()
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.ImportFrom) and node.module in ("linetune", "linetune.core"):
            modules |= {f"{node.module}.{alias.name}" for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and (node.module or "").startswith("linetune."):
            modules.add(str(node.module))
        elif isinstance(node, ast.Import):
            modules |= {alias.name for alias in node.names if alias.name.startswith("linetune.")}
    return set(map(member, modules))


def members() -> dict[str, list[Path]]:
    """The files of every member, by the layers' name."""
    found: dict[str, list[Path]] = {}
    for path in sorted(SOURCE.rglob("*.py")):
        module = ".".join(("linetune", *path.relative_to(SOURCE).with_suffix("").parts))
        name = member(module)
        if not name.startswith("__") and name != "core.__init__":
            found.setdefault(name, []).append(path)
    return found


def test_packages_import_only_what_stands_lower() -> None:
    layer = {name: height for height, names in enumerate(LAYERS) for name in names}
    wrong = [
        f"{path.relative_to(SOURCE)} imports {other}"
        for name, paths in members().items()
        for path in paths
        for other in imports(path) - {name}
        if layer[other] >= layer[name]
    ]
    assert not wrong


def test_every_package_has_a_layer() -> None:
    assert members().keys() == set().union(*LAYERS)


def test_reading_and_scoring_need_no_torch() -> None:
    modules = ", ".join(f"linetune.{name}" for name in TORCH_FREE)
    code = f"import sys, {modules}; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_the_command_line_is_there_before_opencv() -> None:
    """OpenCV reads how much it may print when it is imported, which is what the command line settles."""
    code = "import sys, linetune.cli; sys.exit('cv2' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


LINES, FUNCTION, ARGUMENTS = 300, 60, 6
"""Most lines of a file and of a function, and most arguments, ``self`` not counted."""


@pytest.mark.parametrize(
    "path", sorted(SOURCE.rglob("*.py")), ids=lambda path: path.relative_to(SOURCE).as_posix()
)
def test_files_and_functions_fit_on_a_page(path: Path) -> None:
    text = path.read_text("utf-8")
    assert text.count("\n") <= LINES
    for node in ast.walk(ast.parse(text)):
        if not isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
            continue
        assert node.end_lineno is not None
        assert node.end_lineno - node.lineno < FUNCTION, node.name
        arguments = [*node.args.posonlyargs, *node.args.args, *node.args.kwonlyargs]
        if path.parent.name != "cli":  # an option is an argument there
            assert len([each for each in arguments if each.arg not in ("self", "cls")]) <= ARGUMENTS, (
                node.name
            )
