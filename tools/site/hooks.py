"""Hooks of MkDocs: build the site from the assembled pages, with the anchors that GitHub gives."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

from assemble import assemble
from pymdownx.slugs import slugify

_FOLDER = tempfile.TemporaryDirectory(prefix="linetune-site-")


def on_config(config: Any) -> Any:
    """Set the folder of the pages. MkDocs builds once for each language, each time from this folder."""
    config.docs_dir = str(Path(_FOLDER.name, "docs"))
    assemble(Path(config.docs_dir))
    config.mdx_configs.setdefault("toc", {})["slugify"] = slugify(case="lower")
    return config
