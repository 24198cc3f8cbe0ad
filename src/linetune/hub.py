"""Publishing the model of a run at Hugging Face: its files without those of its user, in one commit."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

from linetune.core.errors import LinetuneError, os_errors
from linetune.core.progress import Reporter
from linetune.formats import wire
from linetune.formats.header import read_header
from linetune.formats.origin import records
from linetune.formats.store import NAME as MODEL
from linetune.formats.store import ONNX, load_model
from linetune.report.card import CARD, CHARSET, write_card
from linetune.report.recorded import read_run
from linetune.training.repeat import run_file

README = "README.md"
"""The name of the model card in a repository."""
RUN_FILE = "linetune.yaml"
"""The run file that repeats the run. It names no folders, as ``config.yaml`` does, which is not published."""
_LOGIN = "hf auth login, or the environment variable HF_TOKEN, says who you are"
_STATUS = {
    400: ("refuses this", None),
    401: ("does not accept the login", _LOGIN),
    403: (
        "says that you may not write there",
        "name one of your own, with a token that may write",
    ),
    404: ("has no such repository or revision", "correct the name; a token may also see too little"),
}
"""What the answers of Hugging Face mean, and what to do."""


@dataclass(frozen=True, slots=True)
class File:
    """A file to publish."""

    name: str
    """Its name in the repository."""
    content: bytes


def files_of(folder: Path, reporter: Reporter) -> list[File]:
    """Return the files of a run that are published. The model card is written first.

    Args:
        folder: the run folder.
        reporter: gets messages, and progress where the models of an older run read again.

    Raises:
        LinetuneError: it is no folder of a complete run, a file is missing or damaged, or the ONNX file says
            something else than the model file.
    """
    run = read_run(folder, reporter)
    model, path = load_model(folder), folder / ONNX
    again = f"linetune export {folder} --format onnx --output {path}"
    if not path.is_file():
        raise LinetuneError("the run folder has no ONNX file", path, again)
    if _notes(read_header(folder / MODEL), folder / MODEL) != _notes(wire.read(path).metadata, path):
        what = f"its rule, confidence, promise or origin is not that of {MODEL}"
        raise LinetuneError(what, path, f"{again} --overwrite")
    if not write_card(run):
        reporter.say(f"{folder / CARD} was changed by hand, and is published as it is")
    names = {MODEL: MODEL, ONNX: ONNX, CARD: README, CHARSET: CHARSET}
    with os_errors("cannot read the run folder", folder):
        files = [
            File(name, (folder / own).read_bytes()) for own, name in names.items() if (folder / own).is_file()
        ]
    if isinstance(model.provenance.get("settings"), dict):  # earlier versions do not know them
        files.append(File(RUN_FILE, run_file(model).encode()))
    return files


def publish(
    files: Sequence[File],
    repository: str,
    private: bool = False,
    revision: str | None = None,
    quiet: bool = False,
) -> str:
    """Put files into a model repository at Hugging Face in one commit, and return the address.

    A repository or a branch that does not exist is made. Other files of the repository stay.

    Args:
        files: the files.
        repository: ``USER/NAME``, or a name in the account of the login.
        private: make a new repository private. An existing one has to be private already.
        revision: the branch. The main one by default.
        quiet: show no progress.

    Raises:
        LinetuneError: there is no login, the name is wrong, Hugging Face refuses it or cannot be reached, or
            the repository is public and should not be.
    """
    import huggingface_hub as hub
    from huggingface_hub.utils import disable_progress_bars, validate_repo_id

    if quiet:
        disable_progress_bars()
    with _errors(repository):
        validate_repo_id(repository)
        if not hub.get_token():
            raise LinetuneError("no login at Hugging Face", repository, _LOGIN)
        api = hub.HfApi(library_name="linetune", library_version=version("linetune"))
        address = api.create_repo(repository, private=private or None, exist_ok=True)
        name = address.repo_id
        if private and not api.model_info(name).private:
            hint = "make it private in its settings, or leave --private out"
            raise LinetuneError("the repository is public", address, hint)
        if revision:
            api.create_branch(name, branch=revision, exist_ok=True)
        operations = [hub.CommitOperationAdd(file.name, file.content) for file in files]
        message = f"Model of linetune {version('linetune')}"
        api.create_commit(name, operations, commit_message=message, revision=revision)
    return f"{address}/tree/{revision}" if revision else str(address)


def _notes(texts: Mapping[str, str], path: Path) -> dict[str, Mapping[str, Any]]:
    """Return what a model file says of its model, without what is empty."""
    return {key: value for key, value in records(texts, path).items() if value}


@contextmanager
def _errors(repository: str) -> Iterator[None]:
    """Report errors of huggingface_hub inside the block in one line.

    Raises:
        LinetuneError: the block raised an error.
    """
    from huggingface_hub.errors import HfHubHTTPError, HFValidationError

    try:
        yield
    except LinetuneError:
        raise
    except HFValidationError:
        what = "not a name of a repository"
        raise LinetuneError(what, repository, "write USER/NAME with letters, digits, -, _ and .") from None
    except Exception as error:  # each release uses another library for HTTP, with errors of its own
        chain = [*_chain(error)]
        answer = next((each for each in chain if isinstance(each, HfHubHTTPError)), None)
        if answer is not None:
            status = answer.response.status_code
            meaning, hint = _STATUS.get(status, (f"answers with the error {status}", "try again later"))
            reason, what = answer.server_message or "", f"Hugging Face {meaning}"
        else:
            reason, what = str(chain[-1]) or type(error).__name__, "Hugging Face cannot be reached"
            hint = "nothing is published; check the network"
        said = f" ({' '.join(reason.split())})" if reason else ""
        raise LinetuneError(f"{what}{said}", repository, hint) from None


def _chain(error: BaseException | None) -> Iterator[BaseException]:
    """Yield an error and its causes."""
    while error is not None:
        yield error
        error = error.__cause__
