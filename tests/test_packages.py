"""The packages have all that linetune needs, and no more. ``make wheel`` installs them."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tarfile
from email.message import Message
from email.parser import HeaderParser
from importlib.metadata import version
from pathlib import Path
from zipfile import ZipFile

import pytest
from conftest import Cli

ROOT = Path(__file__).parents[1]
AT_THE_ROOT = {"CHANGELOG.md", "LICENSE", "MANIFEST.in", "NOTICE", "README.md", "pyproject.toml"}
WRITTEN_BY_THE_BUILD = {"PKG-INFO", "setup.cfg"}
BUILD = "import sys; from setuptools import build_meta; getattr(build_meta, sys.argv[1])(sys.argv[2])"


def build(kind: str, tree: Path, to: Path) -> Path:
    environment = os.environ | {"PYTHONPATH": ""}
    command = [sys.executable, "-c", BUILD, f"build_{kind}", str(to)]
    done = subprocess.run(command, cwd=tree, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    [package] = to.iterdir()
    return package


@pytest.fixture(scope="module")
def sdist(tmp_path_factory: pytest.TempPathFactory) -> Path:
    tree = tmp_path_factory.mktemp("tree")
    for name in ("src", "tests", "docs"):
        ignored = shutil.ignore_patterns("__pycache__", "*.egg-info")
        shutil.copytree(ROOT / name, tree / name, ignore=ignored)
    for path in ROOT.iterdir():
        if path.is_file() and not path.name.startswith("."):
            shutil.copy(path, tree)
    return build("sdist", tree, tmp_path_factory.mktemp("sdist"))


@pytest.fixture(scope="module")
def wheel(sdist: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("unpacked")
    with tarfile.open(sdist) as archive:
        archive.extractall(folder)
    [tree] = folder.iterdir()
    return build("wheel", tree, tmp_path_factory.mktemp("wheel"))


@pytest.fixture(scope="module")
def metadata(wheel: Path) -> Message:
    with ZipFile(wheel) as archive:
        name = next(name for name in archive.namelist() if name.endswith("/METADATA"))
        return HeaderParser().parsestr(archive.read(name).decode())


def source_files() -> set[str]:
    """All files of linetune, relative to ``src``."""
    files = (path for path in (ROOT / "src" / "linetune").rglob("*") if path.is_file())
    return {str(path.relative_to(ROOT / "src").as_posix()) for path in files if path.suffix != ".pyc"}


def test_the_wheel_has_every_file_of_linetune_and_no_other(wheel: Path) -> None:
    with ZipFile(wheel) as archive:
        names = {name for name in archive.namelist() if ".dist-info/" not in name}
        licences = {Path(name).name for name in archive.namelist() if "/licenses/" in name}
    assert names == source_files()
    assert licences == {"LICENSE", "NOTICE"}


def test_the_source_distribution_has_what_the_wheel_needs_and_no_more(sdist: Path) -> None:
    with tarfile.open(sdist) as archive:
        names = {name.partition("/")[2] for name in archive.getnames() if archive.getmember(name).isfile()}
    others = {name for name in names if ".egg-info/" not in name} - WRITTEN_BY_THE_BUILD
    assert others == {f"src/{name}" for name in source_files()} | AT_THE_ROOT


def test_the_metadata_say_what_linetune_is(metadata: Message) -> None:
    assert metadata["Name"] == "linetune"
    assert metadata["License-Expression"] == "Apache-2.0"
    assert metadata["Requires-Python"] == ">=3.10"
    assert metadata["Description-Content-Type"] == "text/markdown"
    classifiers = metadata.get_all("Classifier", [])
    # A registry refuses a package that has both.
    assert not any(line.startswith("License ::") for line in classifiers)
    assert "Programming Language :: Python :: 3.10" in classifiers
    assert set(metadata.get_all("Provides-Extra", [])) >= {"train", "official", "hf", "paddle", "parquet"}


def test_every_version_is_the_same(cli: Cli, metadata: Message) -> None:
    assert metadata["Version"] == version("linetune")
    assert cli("--version").out == f"linetune {metadata['Version']}\n"
    changelog = (ROOT / "CHANGELOG.md").read_text("utf-8")
    assert f"## [{metadata['Version']}]" in changelog
