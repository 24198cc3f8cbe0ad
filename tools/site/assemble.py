"""The Markdown of the site: docs/, the reference, and a page for each other file that a page links to.

Links work in a checkout and on the site. A link may therefore leave docs/. The site then has the page of that
file of the repository's root, or a page with the text of the file.
"""

from __future__ import annotations

import posixpath
import re
import shutil
from pathlib import Path

import reference

ROOT = Path(__file__).resolve().parents[2]
ROOT_PAGES = {
    "README.md": "index.md",
    "README.zh-CN.md": "index.md",
    "CONTRIBUTING.md": "contributing.md",
    "CHANGELOG.md": "changelog.md",
    "SECURITY.md": "security.md",
}
"""Files of the repository's root, and their pages. A page that docs/ lacks is made from its file."""
LANGUAGES = {".py": "python", ".sh": "sh", ".toml": "toml", ".yaml": "yaml", ".yml": "yaml"}
LINK = re.compile(r"(?<=\]\()(?![a-z]+:|#)([^)\s#]+)")
"""The target of a Markdown link to a file, without its anchor."""


def assemble(target: Path) -> None:
    """Write all Markdown and all pictures of the site into an empty folder."""
    shutil.copytree(ROOT / "docs", target, dirs_exist_ok=True)
    for uri, text in reference.pages().items():
        _write(target / uri, text)
    # Where each page lies in the repository decides what its links mean.
    places = {page.relative_to(ROOT / "docs").as_posix(): page for page in (ROOT / "docs").rglob("*.md")}
    for name, uri in ROOT_PAGES.items():
        if (ROOT / name).is_file():
            places.setdefault(uri, ROOT / name)
    for uri, place in places.items():
        _write(target / uri, _moved(place, uri, target))


def _moved(page: Path, uri: str, target: Path) -> str:
    """Return the text of a page with the links of the site. Write the pages that only it needs."""

    def link(match: re.Match[str]) -> str:
        path = (page.parent / match[0]).resolve()
        if not path.is_file() or not path.is_relative_to(ROOT):
            return match[0]
        name = path.relative_to(ROOT).as_posix()
        here = name.removeprefix("docs/")
        if here == name or path.suffix == ".yaml":
            here = ROOT_PAGES.get(name, f"source/{name.replace('.', '-')}.md")  # .py would be a language
        if here.startswith("source/"):
            language = LANGUAGES.get(path.suffix, "text")
            _write(target / here, f"# {name}\n\n````{language}\n{path.read_text('utf-8')}````\n")
        return posixpath.relpath(here, posixpath.dirname(uri) or ".")

    return LINK.sub(link, page.read_text("utf-8"))


def _write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, "utf-8")
