"""``linetune drift``"""

from __future__ import annotations

from pathlib import Path

import typer

from linetune.cli import options


def drift(
    model: options.ModelArgument,
    images: options.ImagesArgument,
    as_json: options.JsonOption = False,
    quiet: options.QuietOption = False,
) -> None:
    """Say whether new crops, without labels, still look like those of the model's promise.

    Compares the confidences with those of the labelled crops that linetune threshold had. The exit code is 1
    if they differ. Crops that are wrong more often at the same confidence do not show: label some now and
    then.

    Example: linetune drift mine/runs/first today
    """
    from linetune.cli.predict import expand
    from linetune.core.errors import LinetuneError, many_errors
    from linetune.decode import Reading
    from linetune.evaluation.drift import drift as compare
    from linetune.report.terminal import terminal

    errors: dict[Path, LinetuneError] = {}
    paths = [path for argument in images for path in expand(argument, errors) if path not in errors]
    with terminal(quiet) as reporter:
        recogniser = options.load_recogniser(model, None, reporter)
        if not (promise := recogniser.promise):
            raise LinetuneError("the model has no promise", model, "linetune threshold makes one")
        results = recogniser.read_files(paths, reporter)
    failed = [*errors.values(), *(each for each in results.values() if isinstance(each, LinetuneError))]
    if failed:
        raise many_errors(failed, "images cannot be read") if len(failed) > 1 else failed[0]
    found = compare(promise, [each.confidence for each in results.values() if isinstance(each, Reading)])
    if as_json:
        options.print_json(found.as_dict())
    else:
        print(found.as_text())
    if found.drifted:
        raise typer.Exit(1)
