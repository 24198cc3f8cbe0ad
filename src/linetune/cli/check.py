"""``linetune check``"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from linetune.cli import options
from linetune.core.errors import LinetuneError
from linetune.core.outputs import refuse_existing

if TYPE_CHECKING:
    from linetune.config import Config
    from linetune.data.check import Expected
    from linetune.data.check.checker import CheckResult
    from linetune.data.check.clean import Cleaned

CONFIGS = {".yaml", ".yml"}
"""Endings of run files."""

DataArgument = Annotated[
    list[str],
    typer.Argument(
        metavar="CONFIG|LABELS...",
        help="A run file, and KEY=VALUE settings that replace its own; or label files. The words "
        "train, val and test in their names say which split a label file is.",
    ),
]


def check(
    paths: DataArgument,
    charset: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE", help="Charset file for the labels. The default is that of the run file."
        ),
    ] = None,
    rule: Annotated[
        str | None,
        typer.Option(metavar="REGEX", help="Regular expression for the labels. The default is synth.rule."),
    ] = None,
    fix: Annotated[
        Path | None,
        typer.Option(metavar="DIR", help="Write a cleaned copy of labels and crops to this new folder."),
    ] = None,
    html: Annotated[
        Path | None,
        typer.Option(metavar="PAGE.html", help="Write a page with the pictures of what the findings name."),
    ] = None,
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Replace an existing page of --html.")
    ] = False,
    lang: options.LanguageOption = None,
    as_json: options.JsonOption = False,
    quiet: options.QuietOption = False,
) -> None:
    """Find problems in labels and crops before you train.

    Prints each finding with its file and line, and changes no file. An error makes a line unusable or a
    result untrue. A warning may be intended. The exit code is 1 if there are errors.

    Example: linetune check mine/linetune.yaml
    """
    from linetune.config.load import load
    from linetune.data.check import check as check_data
    from linetune.data.check.clean import write_clean
    from linetune.data.check.findings import Severity
    from linetune.report.check_page import write_findings
    from linetune.report.terminal import terminal
    from linetune.report.words import words

    config = load(Path(paths[0]), paths[1:]) if Path(paths[0]).suffix.lower() in CONFIGS else None
    files = {split: labels for split, labels in config.data if labels} if config else _by_split(paths)
    expected = _expected(config, charset, rule)
    if fix is not None:
        refuse_existing(fix, hint="name a new folder", folder=True)
    if html is not None:
        refuse_existing(html, overwrite)
    with terminal(quiet) as reporter:
        checked = check_data(files, expected, partial(reporter.progress, "checking"))
    cleaned = write_clean(checked, fix) if fix is not None else None
    if html is not None:
        write_findings(html, checked, words(lang))
    if as_json:
        options.print_json(checked.as_dict() | ({"fixed": cleaned.as_dict()} if cleaned else {}))
    else:
        _print(checked, cleaned, html)
    if checked.of(Severity.error):
        raise typer.Exit(1)


def _print(checked: CheckResult, cleaned: Cleaned | None, html: Path | None) -> None:
    from linetune.report.findings import print_cleaned, print_findings
    from linetune.report.terminal import console

    print_findings(console(), checked)
    if cleaned:
        print_cleaned(console(), cleaned)
    if html:
        print(f"wrote {html}")


def _expected(config: Config | None, charset: Path | None, rule: str | None) -> Expected:
    """Return what the labels should be like, by the options or else by the run file."""
    from linetune.core.charset import Charset
    from linetune.data.check import Expected
    from linetune.rules.rule import Rule

    own = Expected()
    if config:
        own_charset = config.charset if isinstance(config.charset, Path) else None
        charset, own = charset or own_charset, replace(own, aliases=config.aliases)
    if config and config.synth:
        own_rule = Rule(config.synth.rule, config.synth.parts)
        renders = any("synth" in stage.data for stage in config.stages)
        own = replace(own, objection=own_rule.objection, taught=own_rule.alphabet if renders else ())
    return replace(
        own,
        charset=Charset.read(charset) if charset else None,
        objection=Rule(rule).objection if rule else own.objection,
    )


def _by_split(paths: Sequence[str]) -> dict[str, list[Path]]:
    files: dict[str, list[Path]] = {}
    for path in map(Path, paths):
        if path.suffix.lower() in CONFIGS:
            raise LinetuneError("a run file among label files", path, "check it alone")
        files.setdefault(path.stem, []).append(path)
    return files
