"""``linetune review``"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from linetune.cli import options
from linetune.core.errors import LinetuneError, os_errors

if TYPE_CHECKING:
    from linetune.report.words import Words
    from linetune.review.items import Item
    from linetune.review.journal import Journal


SourceArgument = Annotated[
    Path,
    typer.Argument(
        metavar="LABELS",
        help="The label file; the Label.txt of a PPOCRLabel project; or a folder, with --unlabelled.",
    ),
]
JournalsArgument = Annotated[
    list[Path] | None, typer.Argument(metavar="JOURNAL...", help="The journals for --merge.")
]
ModelOption = Annotated[
    str | None, typer.Option(metavar="MODEL", help=f"What reads the crops. {options.MODEL}")
]
UnlabelledOption = Annotated[
    bool, typer.Option("--unlabelled", help="Label the crops of a folder from the readings of the model.")
]
OutputOption = Annotated[
    Path | None,
    typer.Option(
        metavar="DIR",
        help="Folder for the journal and the new labels. By default LABELS.review, beside the labels.",
    ),
]
ShardOption = Annotated[
    str | None,
    typer.Option(metavar="NUMBER/OF", help="Settle only one of several equal parts, such as 1/2."),
]
OnlyOption = Annotated[
    Path | None,
    typer.Option(
        metavar="LIST",
        help="Show only the crops of a list, such as the suspects.txt of linetune suspects. The others keep "
        "their labels.",
    ),
]
MergeOption = Annotated[bool, typer.Option("--merge", help="Add the decisions of other journals, and end.")]
WriteOption = Annotated[bool, typer.Option("--write", help="Write the new label file, without the page.")]
PortOption = Annotated[
    int,
    typer.Option(
        metavar="PORT", min=0, max=65535, show_default=False, help="Port of the page. By default a free one."
    ),
]
NoBrowserOption = Annotated[
    bool, typer.Option("--no-browser", help="Print the address of the page, and do not open it.")
]


def review(
    source: SourceArgument,
    journals: JournalsArgument = None,
    model: ModelOption = None,
    unlabelled: UnlabelledOption = False,
    output: OutputOption = None,
    shard: ShardOption = None,
    only: OnlyOption = None,
    merge: MergeOption = False,
    write: WriteOption = False,
    lang: options.LanguageOption = None,
    port: PortOption = 0,
    no_browser: NoBrowserOption = False,
) -> None:
    """Settle labels on a page made for the keyboard.

    Labels that the model reads otherwise come first. Enter takes what is shown and goes on. Every decision is
    on the disk at once, and the review continues where it stopped. The label file is not changed: a new one
    is written at the end.

    Example: linetune review mine/crops/train.txt --model mine/runs/first
    """
    from linetune.core import cache
    from linetune.core.outputs import is_filled
    from linetune.report.words import words
    from linetune.review.items import CROPS, Shard, find_source, listed
    from linetune.review.journal import NAME, Journal
    from linetune.review.result import default_folder

    _check(model, journals, merge, write)
    part = Shard.parse(shard) if shard else None
    found = find_source(source, unlabelled)
    folder = output or default_folder(found, shard or "")
    if not is_filled(folder, {NAME, CROPS}, "a review", "choose another with --output") and write:
        raise LinetuneError("no review yet", folder, "start one with --model")
    items = _load(found, folder)
    chosen = part.select(items) if part else items
    if not chosen:
        raise LinetuneError("no crop is in this part", "--shard", "divide the set into fewer parts")
    shown = listed(only, chosen) if only else chosen
    with os_errors("the folder cannot be written", folder, "choose another with --output"):
        folder.mkdir(parents=True, exist_ok=True)
    with cache.locked(folder), Journal(folder / NAME) as journal:
        _say_outdated(journal, items)
        if merge:
            _merge(journal, journals or (), items)
        elif not write:
            _show(found.name, shown, journal, str(model), words(lang), port, no_browser)
        _write(folder, chosen, journal)


def _load(source: Path, folder: Path) -> Sequence[Item]:
    from linetune.report.terminal import terminal
    from linetune.review.items import load_items

    with terminal() as reporter:
        items = load_items(source, folder, reporter)
        if items.refused:
            reporter.say(f"left out: {len(items.refused)}, such as {items.refused[0]}")
    return items.all


def _write(folder: Path, items: Sequence[Item], journal: Journal) -> None:
    from linetune.review.result import write_result

    written = write_result(folder, items, journal.history.decisions)
    for error in written.errors:
        print(f"left out: {error}", file=sys.stderr)
    print(written)
    print(f"labels   {written.labels or 'none yet'}")


def _check(model: str | None, journals: Sequence[Path] | None, merge: bool, write: bool) -> None:
    """Check that the options fit together.

    Raises:
        LinetuneError: they do not.
    """
    if merge and not journals:
        raise LinetuneError("no journal to merge", "--merge", "name the journal.jsonl of each part")
    if journals and not merge:
        raise LinetuneError(f"one label file at a time, but there is also {journals[0]}", "linetune review")
    if model is None and not (merge or write):
        raise LinetuneError("what reads the crops is missing", "--model", "name a run folder or a model")


def _say_outdated(journal: Journal, items: Sequence[Item]) -> None:
    outdated = sorted(journal.history.decisions.keys() - {item.key for item in items})
    if outdated:
        names = ", ".join(path for path, _ in outdated[:3]) + (", ..." if len(outdated) > 3 else "")
        what = "earlier decisions that no longer apply, because the crop is gone or has another label"
        print(f"{what}: {len(outdated)} ({names})", file=sys.stderr)


def _merge(journal: Journal, others: Sequence[Path], items: Sequence[Item]) -> None:
    from linetune.review.merge import merge

    for conflict in merge(journal, others, items):
        print(f"not settled, because the journals disagree: {conflict}")


def _show(
    name: str, items: Sequence[Item], journal: Journal, model: str, say: Words, port: int, no_browser: bool
) -> None:
    from linetune.report.terminal import terminal
    from linetune.review.guesses import Guesser, fingerprint, read_items
    from linetune.review.server import listen, open_browser, serve
    from linetune.review.session import Session

    with listen(port) as opened:
        with terminal() as reporter:
            guesser = Guesser(lambda: options.load_recogniser(model, None, reporter), fingerprint(model))
            guesses = read_items(items, guesser, journal.path.parent, reporter)
        session = Session(items, guesses, journal, guesser, say)

        def ready(address: str) -> None:
            print(f"{address}  (Ctrl-C ends the review)", flush=True)
            if not no_browser:
                open_browser(address)

        serve(session, say("Review of {name}", name=name), say, opened, ready)
