"""``linetune next``"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from linetune.cli import options
from linetune.core.errors import LinetuneError, ManyErrors, many_errors, os_errors
from linetune.core.outputs import refuse_existing

if TYPE_CHECKING:
    from linetune.analysis.next_crops import NextCrops

LIST = Path("next.txt")
RandomOption = Annotated[
    bool,
    typer.Option("--random", help="Choose by chance, for validation and test crops that score a usual day."),
]


def next_(
    model: options.ModelArgument,
    images: options.ImagesArgument,
    number: Annotated[
        int, typer.Option("--number", "-n", metavar="NUMBER", min=1, help="How many crops to choose.")
    ] = 100,
    output: Annotated[
        Path, typer.Option(metavar="FILE", help="The list: a label file whose labels are still empty.")
    ] = LIST,
    labels: Annotated[
        list[Path] | None,
        typer.Option(
            metavar="LABELS",
            help="A label file whose crops are left out. If MODEL is a run folder, those of its label files "
            "are left out anyway. So are crops that a review called unusable.",
        ),
    ] = None,
    at_random: RandomOption = False,
    review: Annotated[bool, typer.Option("--review", help="Label them at once, as linetune review does.")] = (
        False
    ),
    lang: options.LanguageOption = None,
    both_ways: options.BothWaysOption = False,
    rule: options.RuleOption = None,
    overwrite: options.OverwriteOption = False,
    as_json: options.JsonOption = False,
    quiet: options.QuietOption = False,
) -> None:
    """Choose the crops whose labels would teach a model most, among crops without labels.

    These are crops that the model doubts, each in another way. Crops that show nearly the same count once.
    Left out are blank crops, crops on which the model reads nothing, and crops that show what a labelled one
    shows. With --random, chance chooses instead, also crops on which the model reads nothing.

    Example: linetune next mine/runs/first photos -n 100 --review
    """
    from linetune.analysis.next_crops import next_crops
    from linetune.cli.review import review as open_review
    from linetune.report.terminal import terminal

    _refuse(output, overwrite, options.shell_command("review", output, "--model", model))
    if review and as_json:
        raise LinetuneError("a review prints its own address", "--json", "leave one of the two out")
    done = _labelled(Path(model), labels or ())
    paths, errors = _images(images, output)
    with terminal(quiet) as reporter:
        recogniser = options.load_recogniser(model, None, reporter, both_ways=both_ways, rule=rule)
        found = next_crops(recogniser, paths, number, done, reporter, at_random)
    unreadable = [errors.get(Path(str(error.where)), error) for error in found.unreadable]
    found = replace(found, unreadable=unreadable)
    _write(output, found)
    if as_json:
        options.print_json({"list": str(output), **found.as_dict()})
        return
    print(found.as_text())
    print(f"list    {output}")
    if review:
        open_review(output, model=model, lang=lang)
    else:
        print(f"label   {options.shell_command('review', output, '--model', model)}")


def _refuse(output: Path, overwrite: bool, review: str) -> None:
    """Refuse to write over anything but a list whose crops have no label yet.

    Raises:
        LinetuneError: the path is something else, or such a list that the user does not want to replace.
    """
    from linetune.core.labelfile import read_labels

    if output.is_file():
        elsewhere = "choose another name with --output"
        try:
            labels = sum(bool(line.text) for line in read_labels(output, unlabelled=True))
        except LinetuneError:
            what = "the file is not a list of crops, and stays as it is"
            raise LinetuneError(what, output, elsewhere) from None
        if labels:
            what = f"the file has {labels} label{'s' if labels > 1 else ''}, which would be lost"
            raise LinetuneError(what, output, elsewhere)
    refuse_existing(output, overwrite, f"{review} labels its crops; --overwrite replaces it")


def _images(images: list[Path], output: Path) -> tuple[list[Path], dict[Path, LinetuneError]]:
    """Return the crops, and the errors of folders among them. The model reads for minutes: refuse before it.

    Raises:
        LinetuneError: there are no crops, or the list cannot have the names of some.
    """
    from linetune.cli.predict import expand
    from linetune.core.labelfile import unwritable

    errors: dict[Path, LinetuneError] = {}
    paths = list(dict.fromkeys(path for argument in images for path in expand(argument, errors)))
    if errors.keys() >= set(paths):
        raise ManyErrors(list(errors.values()))
    refused = [
        LinetuneError(why, output, "rename the image or its folder")
        for path in paths
        if (why := unwritable(str(path)))
    ]
    if refused:
        raise many_errors(refused, "names that a list cannot have")
    return paths, errors


def _labelled(run: Path, labels: list[Path] | tuple[()]) -> set[Path]:
    """Return the crops of label files, of the label files of a run, and of the unusable ones beside them."""
    from linetune.config.load import load
    from linetune.core.labelfile import read_labels, unusable_beside

    files = [*labels]
    if (settings := run / "config.yaml").is_file():
        data = load(settings).data
        files += [each for each in (*data.train, *data.val, *(data.test or ())) if each.is_file()]
    files += unusable_beside(each.parent for each in files)
    unique = {each.resolve(): each for each in files}
    return {line.image for line in read_labels(*unique.values(), unlabelled=True)} if unique else set()


def _write(path: Path, found: NextCrops) -> None:
    from linetune.core.files import relative
    from linetune.core.labelfile import write_labels

    with os_errors("the list cannot be written", path, "choose another with --output"):
        path.parent.mkdir(parents=True, exist_ok=True)
        write_labels(path, ((relative(crop, path.parent), "") for crop in found.chosen))
