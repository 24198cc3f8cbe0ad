"""``linetune compare``"""

from __future__ import annotations

import string
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, TypeAlias

import typer

from linetune.cli import options
from linetune.core.errors import LinetuneError
from linetune.core.outputs import refuse_existing

if TYPE_CHECKING:
    from linetune.evaluation.result import Evaluation

Read: TypeAlias = "tuple[str, str, Evaluation]"
"""The letter of a model, its name, and its readings."""


def compare(
    model_a: options.ModelAArgument,
    model_b: options.ModelBArgument,
    others: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[MODEL...] [LABELS...]",
            help="More models, and label files: one path<TAB>text a line. By default, the test crops of the "
            "first run folder.",
        ),
    ] = None,
    charset: options.LabelsCharsetOption = None,
    html: Annotated[
        Path | None,
        typer.Option(
            metavar="PAGE.html",
            help="Write a page with the pictures of all crops that only some models read.",
        ),
    ] = None,
    lang: options.LanguageOption = None,
    overwrite: options.OverwriteOption = False,
    skip_bad: options.SkipBadOption = False,
    as_json: options.JsonOption = False,
    quiet: options.QuietOption = False,
) -> None:
    """Compare models on the same crops: is one better, or is it chance?

    Prints the scores, the difference of each model to the first one with its 95% interval, the result of
    McNemar's test, and the crops that only one of the two reads right.

    Example: linetune compare PP-OCRv6_small_rec mine/runs/first mine/crops/test.txt --html compared.html
    """
    from linetune.report.comparison import write_comparison
    from linetune.report.words import words

    if html is not None:
        refuse_existing(html, overwrite)
    models, labels = _told_apart([model_a, model_b, *(others or ())])
    tasks = {f"reading with {name}": model for name, model in models.items()}
    data, evaluations = options.evaluate_models(tasks, labels, charset, skip_bad, quiet=quiet)
    if html is not None:
        write_comparison(html, list(models.values()), evaluations, data.crops, words(lang))
    first, *more = zip(models, models.values(), evaluations, strict=True)
    if as_json:
        found = [_as_dict(first, second) for second in more]
        options.print_json(found if len(found) > 1 else found[0])
        return
    for second in more:
        _print(first, second)
    if html is not None:
        print(f"wrote {html}")


def _as_dict(first: Read, second: Read) -> dict[str, Any]:
    from linetune.evaluation.comparison import compare
    from linetune.evaluation.result import only_one_reads

    (_, model_a, a), (_, model_b, b) = first, second
    comparison = compare(a.score, b.score)
    return {
        "a": {"model": model_a, **a.score.as_dict()},
        "b": {"model": model_b, **b.score.as_dict()},
        **comparison.as_dict(),
        "sentence": comparison.sentence(),
        "skipped": a.skipped,
        "only_one_reads": [crop.as_dict() for crop in only_one_reads(a, b)],
    }


def _print(first: Read, second: Read) -> None:
    from linetune.evaluation.comparison import compare
    from linetune.evaluation.result import only_one_reads
    from linetune.report.evaluation import print_comparison
    from linetune.report.terminal import console

    (*_, a), (*_, b) = first, second
    print_comparison(console(), first, second, compare(a.score, b.score), only_one_reads(a, b))


def _told_apart(arguments: Sequence[str]) -> tuple[dict[str, str], list[Path]]:
    """Return the models by their letters, and the label files.

    The first two arguments are models. So are folders, model files, and names without an ending.

    Raises:
        LinetuneError: there are too many models, or neither label files nor a run with test crops.
    """
    from linetune.config.schema import MODEL_SUFFIXES

    models, labels = list(arguments[:2]), list[Path]()
    for argument in arguments[2:]:
        path = Path(argument)
        if path.is_dir() or path.suffix in MODEL_SUFFIXES or not (path.suffix or path.exists()):
            models.append(argument)
        else:
            labels.append(path)
    if len(models) > len(string.ascii_uppercase):
        raise LinetuneError(f"{len(models)} models are too many", "linetune compare", "name at most 26")
    return dict(zip(string.ascii_uppercase, models, strict=False)), labels or _test_crops(models)


def _test_crops(models: Sequence[str]) -> list[Path]:
    """Return the label files of the test crops of the first run folder."""
    from linetune.config.load import load

    for model in models:
        if (Path(model) / "config.yaml").is_file():
            data: Any = load(Path(model) / "config.yaml").data
            if data.test:
                return list(data.test)
    raise LinetuneError("no label files", "linetune compare", "name some after the models")
