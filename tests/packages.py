"""Build the packages, compare them, and read a crop with the wheel in an empty environment of each Python.

    make wheel [PYTHONS="python3.10 /opt/python3.13/bin/python3"]

Without PYTHONS, the Pythons are those of PATH and of pyenv. The packages are in dist/. An environment has the
small installation: the wheel and what it requires. The exit status is 1 if something is wrong.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
from importlib.metadata import version
from pathlib import Path
from zipfile import ZipFile

import cv2
import numpy as np

from linetune.core import image
from linetune.formats.official import load_base
from linetune.formats.onnx_file import export

ROOT = Path(__file__).parents[1]
DIST = ROOT / "dist"
MINORS = range(10, 15)
TEXT = "LOT4711"  # without a space: official models often miss one
READ = "import linetune, sys; print(linetune.Recogniser.load(sys.argv[1]).read([sys.argv[2]])[0].text)"


def main() -> None:
    """Print one line for each check that passed; exit with one line at the first that did not."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--pythons", nargs="*", default=[], help="commands; default: those of PATH and pyenv")
    options = parser.parse_args()
    shutil.rmtree(DIST, ignore_errors=True)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        wheel = build(folder)
        model, crop = draw(folder)
        for python in options.pythons or found_pythons():
            read_in_empty_environment(python, wheel, model, crop, folder / "environment")


def build(folder: Path) -> Path:
    """Return the wheel, which was built from the source distribution; the one from the tree is equal."""
    # Without other arguments, build makes the source distribution, and the wheel from that.
    run(sys.executable, "-m", "build", ROOT, "--outdir", DIST)
    run(sys.executable, "-m", "build", "--wheel", ROOT, "--outdir", folder)
    [wheel] = DIST.glob("*.whl")
    [from_tree] = folder.glob("*.whl")
    if digests(wheel) != digests(from_tree):
        different = sorted({name for name, _ in digests(wheel) ^ digests(from_tree)})
        sys.exit(f"the wheels from the source distribution and from the tree differ: {', '.join(different)}")
    run(sys.executable, "-m", "twine", "check", "--strict", *DIST.iterdir())
    print(f"{wheel.name}: {len(digests(wheel))} files, the same from the source distribution and the tree")
    return wheel


def digests(wheel: Path) -> set[tuple[str, str]]:
    """Return the name and the hash of each file. RECORD has only these again, in any order."""
    with ZipFile(wheel) as archive:
        names = [name for name in archive.namelist() if not name.endswith("/RECORD")]
        return {(name, hashlib.sha256(archive.read(name)).hexdigest()) for name in names}


def draw(folder: Path) -> tuple[Path, Path]:
    """Return an exported ONNX file and a crop that shows ``TEXT``."""
    crop = np.full((40, 170, 3), 225, np.uint8)
    cv2.putText(crop, TEXT, (8, 30), cv2.FONT_HERSHEY_SIMPLEX, 1, (30, 30, 30), 2, cv2.LINE_AA)
    image.write(folder / "crop.png", crop)
    return export(load_base("PP-OCRv5_mobile_rec"), folder / "model.onnx").path, folder / "crop.png"


def found_pythons() -> list[str]:
    """Return the commands of all supported Pythons of this machine, one for each minor version."""
    pyenv = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv")) / "versions"
    found = []
    for name in (f"python3.{minor}" for minor in MINORS):
        # pyenv leaves a file of this name in PATH for versions that are switched off. It starts nothing.
        choices = [shutil.which(name), *map(str, sorted(pyenv.glob(f"*/bin/{name}")))]
        found += [choice for choice in choices if choice and starts(choice)][:1]
    return found


def starts(python: str) -> bool:
    """Whether a command is a Python that can make environments."""
    return (
        subprocess.run([python, "-c", "import ensurepip"], check=False, capture_output=True).returncode == 0
    )


def read_in_empty_environment(python: str, wheel: Path, model: Path, crop: Path, folder: Path) -> None:
    """Install the wheel and what it requires, and read a crop by command and from Python."""
    run(python, "-m", "venv", "--clear", folder)
    scripts = folder / ("Scripts" if os.name == "nt" else "bin")
    own = scripts / "python"
    run(own, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", wheel)
    run(own, "-m", "pip", "check")
    expected = f"linetune {version('linetune')}"
    if (found := run(scripts / "linetune", "--version").strip()) != expected:
        sys.exit(f"{python}: linetune --version says {found!r}, not {expected!r}")
    if (row := run(scripts / "linetune", "predict", model, crop).split("\t"))[1:2] != [TEXT]:
        sys.exit(f"{python}: linetune predict says {row}, not {TEXT!r}")
    if (text := run(own, "-c", READ, model, crop).strip()) != TEXT:
        sys.exit(f"{python}: Recogniser reads {text!r}, not {TEXT!r}")
    print(f"{run(own, '--version').strip()}: installed, reads {TEXT!r}")


def run(*command: object) -> str:
    """Return what a program prints. It runs outside the tree, so that it imports what is installed."""
    words = list(map(str, command))
    environment = {key: value for key, value in os.environ.items() if key != "PYTHONPATH"}
    done = subprocess.run(
        words, check=False, capture_output=True, text=True, cwd=tempfile.gettempdir(), env=environment
    )
    if done.returncode:
        sys.exit(f"{' '.join(words)} failed:\n{done.stdout}{done.stderr}")
    return done.stdout


if __name__ == "__main__":
    main()
