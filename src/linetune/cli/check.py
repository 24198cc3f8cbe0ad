"""``linetune check``"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from linetune.cli.options import JsonOption, print_json
from linetune.core.errors import LinetuneError

CONFIGS = {".yaml", ".yml"}


def check(
    given: Annotated[
        list[str],
        typer.Argument(
            metavar="CONFIG|LABELS...",
            help="A run's file (with KEY=VALUE after it, as linetune train takes them), or label files whose "
            "names say train, val or test.",
        ),
    ],
    charset: Annotated[
        Path | None, typer.Option(help="Charset file that the labels must keep to; a run's own by default.")
    ] = None,
    rule: Annotated[
        str | None, typer.Option(help="Regular expression that the labels follow; a run's own by default.")
    ] = None,
    fix: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Write a cleaned copy to this new folder.")
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Say what is wrong with the labels and crops; exit code 1 on errors, 0 on warnings."""
    from linetune.config.load import load
    from linetune.core.charset import Charset
    from linetune.data.check import check as run
    from linetune.data.check.clean import write_clean
    from linetune.data.check.findings import Severity
    from linetune.report.findings import print_cleaned, print_findings
    from linetune.report.terminal import console, terminal
    from linetune.rules.rule import Rule

    own: Rule | None = None
    taught: tuple[str, ...] = ()
    if Path(given[0]).suffix.lower() in CONFIGS:
        config = load(Path(given[0]), given[1:])
        files = {"train": config.data.train, "val": config.data.val, "test": config.data.test or []}
        charset = charset or (config.charset if isinstance(config.charset, Path) else None)
        if config.synth:
            own = Rule(config.synth.rule, config.synth.parts)
            if any("synth" in stage.data for stage in config.stages):
                taught = own.alphabet
    else:
        files = {}
        for path in map(Path, given):
            if path.suffix.lower() in CONFIGS:
                raise LinetuneError("a run's file among label files", path, "check it by itself")
            files.setdefault(path.stem, []).append(path)
    if fix is not None and fix.exists():
        raise LinetuneError("there is something already", fix, "name a new folder")
    followed = Rule(rule) if rule else own
    with terminal() as reporter:
        checked = run(
            {name: paths for name, paths in files.items() if paths},
            Charset.read(charset) if charset else None,
            followed.objection if followed else None,
            taught,
            lambda done, total: reporter.progress("checking", done, total),
        )
    cleaned = write_clean(checked, fix) if fix is not None else None
    if as_json:
        print_json(checked.as_dict() | ({"fixed": cleaned.as_dict()} if cleaned else {}))
    else:
        print_findings(console(), checked)
        if cleaned:
            print_cleaned(console(), cleaned)
    if checked.of(Severity.error):
        raise typer.Exit(1)
