"""What this machine and this installation have: one line for each thing, also where asking for it fails.

The package torch and all packages of the extras may be missing or broken. What is printed names no folder
but the cache, with ``~`` for the home folder, because people paste it where others read it.
"""

from __future__ import annotations

import importlib
import importlib.util
import os
import platform
import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib.metadata import PackageNotFoundError, packages_distributions, version
from pathlib import Path

from linetune.core.install import EXTRAS, TRAIN, hint

BASE = ("numpy", "cv2", "onnxruntime", "PIL", "bidi", "rich", "typer")
"""The modules of the packages that every installation has."""
GIVES = {
    "train": "training and all other commands",
    "official": "official weights without a network",
    "hf": "comparing exports in transformers",
    "hub": "linetune push",
    "paddle": "exporting Paddle's inference format",
    "parquet": "importing Parquet and Arrow files",
}
"""What each extra is for."""
GB = 1e9


@dataclass(frozen=True, slots=True)
class Finding:
    """One line."""

    name: str
    text: str
    broken: bool = False
    """Whether linetune needs this, and it does not work."""

    def as_dict(self) -> dict[str, str | bool]:
        """Return plain values for JSON."""
        return {"name": self.name, "text": self.text, "broken": self.broken}


def examine() -> list[Finding]:
    """Return what there is on this machine. The last one says what works. Raises nothing."""
    findings = [
        *_findings("linetune", _linetune),
        *_findings("system", lambda: f"{platform.platform()}, Python {platform.python_version()}"),
        *_findings("processor", _processor),
        *_findings("memory", _memory),
        *_findings("GPU", _gpu),
    ]
    needed = (*BASE, *sorted(TRAIN)) if _has("torch") else BASE
    findings += _packages(needed)
    missing = {
        extra: absent
        for extra, modules in EXTRAS.items()
        if (absent := [each for each in sorted(modules) if not _has(each)])
    }
    findings += [finding for extra in EXTRAS for finding in _extra(extra, missing.get(extra, []))]
    if "train" not in missing:
        findings += [
            *_findings("cache", _cache, needed=True),
            *_findings("official weights", _weights),
            *_findings("fonts", _fonts),
        ]
    hidden = [Finding(each.name, _without_home(each.text), each.broken) for each in findings]
    return [*hidden, _result(hidden, missing)]


def _findings(name: str, ask: Callable[[], str | Sequence[str]], needed: bool = False) -> Iterator[Finding]:
    """Yield the lines that a question gives, or one that says why there is no answer.

    Args:
        name: what it is about.
        ask: returns one or several texts.
        needed: whether linetune needs an answer.
    """
    try:
        found = ask()
        for text in [found] if isinstance(found, str) else found:
            yield Finding(name, text)
    except Exception as error:  # a broken package can raise anything
        yield Finding(name, f"not known: {_reason(error)}", needed)


def _reason(error: Exception) -> str:
    """Return what an error says, in one line."""
    return " ".join(str(error).split()) or type(error).__name__


def _linetune() -> str:
    kind = "train installation" if _has("torch") else "small installation, which reads exported ONNX files"
    try:
        return f"{version('linetune')}, {kind}"
    except PackageNotFoundError:
        return f"not installed as a package, {kind}"


def _processor() -> str:
    # The affinity counts less where a container or taskset limits the cores.
    usable = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    name = _model_name() or platform.processor() or platform.machine()
    cores = f"{usable} core{'s' if usable > 1 else ''}"
    if not _has("torch"):
        return f"{name}, {cores}"
    import torch

    from linetune.core.device import best_precision

    own = best_precision(torch.device("cpu")) == torch.bfloat16
    return f"{name}, {cores}, {torch.get_num_threads()} for torch, bf16 {'yes' if own else 'no'}"


def _model_name() -> str:
    """Return the name of the processor as Linux knows it. Empty on other systems."""
    try:
        lines = Path("/proc/cpuinfo").read_text("utf-8", "replace").splitlines()
    except OSError:
        return ""
    return next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), "")


def _memory() -> str:
    import psutil
    import torch

    from linetune.core.device import free_memory

    total, free = psutil.virtual_memory().total, free_memory(torch.device("cpu"))
    return f"{total / GB:.1f} GB, {free / GB:.1f} GB free"


def _gpu() -> list[str]:
    import torch

    if not torch.cuda.is_available():
        return ["none that torch can use"]
    from linetune.core.device import best_precision

    device = torch.device("cuda")
    bf16 = "yes" if best_precision(device) == torch.bfloat16 else "no"
    return [
        f"{each.name}, {each.total_memory / GB:.1f} GB, bf16 {bf16}"
        for each in map(torch.cuda.get_device_properties, range(torch.cuda.device_count()))
    ]


def _packages(modules: Sequence[str]) -> Iterator[Finding]:
    """Import the modules that this installation needs. Yield those that do not work, then all versions."""
    working = []
    for module in modules:
        try:
            importlib.import_module(module)
            working.append(_version(module))
        except Exception as error:
            yield Finding(module, f"cannot be imported: {_reason(error)}", True)
    yield Finding("packages", ", ".join(dict.fromkeys(working)))


def _version(module: str) -> str:
    names = _distributions().get(module, ())
    return ", ".join(f"{name} {version(name)}" for name in dict.fromkeys(names)) or "without a version"


@cache
def _distributions() -> Mapping[str, list[str]]:
    return packages_distributions()


def _extra(extra: str, missing: Sequence[str]) -> Iterator[Finding]:
    """Yield what an extra of linetune has, and how to get what is missing."""
    for_what = GIVES.get(extra, "")
    if missing:
        yield Finding(f"[{extra}]", f"without {', '.join(missing)} ({for_what}): {hint(extra)}")
    elif extra != "train":
        yield from _findings(f"[{extra}]", lambda: ", ".join(map(_version, sorted(EXTRAS[extra]))))


def _cache() -> str:
    from linetune.core.cache import check_writable
    from linetune.core.cache import folder as cache_folder

    folder = cache_folder()
    check_writable()
    size = sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
    free = shutil.disk_usage(folder).free
    return f"{folder}, {size / GB:.2f} GB, can be written, {free / GB:.1f} GB free on its disk"


def _weights() -> list[str]:
    from linetune.core.cache import folder
    from linetune.formats.sources import find
    from linetune.models.families import OFFICIAL

    places: dict[str, list[str]] = {}
    for official in OFFICIAL.values():
        path = find(official)
        packages = [module for module, _ in official.packages if path and module in path.parts]
        own = path and folder() in path.parents
        place = "in the cache" if own else f"in {packages[0]}" if packages else "downloaded at first use"
        places.setdefault(place, []).append(official.name)
    return [f"{place}: {', '.join(names)}" for place, names in places.items()]


def _fonts() -> str:
    from PIL import features

    from linetune.synth.fonts import installed_files

    shaping = "can" if features.check("raqm") else "cannot"
    return (
        f"{len(installed_files()):,} files in the folders of the system; Pillow {shaping} join scripts (raqm)"
    )


def _has(module: str) -> bool:
    """Return whether a module is installed. It may still not work."""
    try:
        return importlib.util.find_spec(module) is not None
    except (ImportError, ValueError):
        return False


def _without_home(text: str) -> str:
    home = os.path.expanduser("~")  # noqa: PTH111 - unlike Path.home, it never fails
    return text.replace(home, "~") if len(home) > 1 else text


def _result(findings: Sequence[Finding], missing: dict[str, list[str]]) -> Finding:
    """Return the last line: what works and what does not."""
    broken = [each.name for each in findings if each.broken]
    if broken:
        return Finding("result", f"linetune does not work as it should: {', '.join(broken)}", True)
    works = ["reading exported files", *(GIVES[extra] for extra in GIVES if extra not in missing)]
    lacks = "; ".join(GIVES[extra] for extra in GIVES if extra in missing)
    return Finding("result", f"works: {'; '.join(works)}" + (f". Missing: {lacks}" if lacks else ""))
