"""``linetune rule``"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from linetune.cli.options import JsonOption, print_json

SHOWN = 10
"""Labels without a pattern that are named."""


def rule(
    labels: Annotated[list[Path], typer.Argument(metavar="LABELS...", help="Label files: path<TAB>text.")],
    least: Annotated[
        int | None,
        typer.Option(min=1, help="Fewest labels that a pattern is made for; one label in 200 by default."),
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Propose the tightest simple rule that the labels follow, as YAML for the synth section."""
    from linetune.config.new import rule_lines
    from linetune.core.labelfile import read_labels
    from linetune.rules import Rule
    from linetune.rules.infer import propose

    lines = read_labels(*labels)
    proposal = propose([line.text for line in lines], least)
    patterns = proposal.patterns
    proposed = Rule(patterns)
    missed = [(lines[place], proposed.objection(lines[place].text)) for place in proposal.missed]
    if as_json:
        fields = ({"pattern": p.pattern, "weight": int(p.weight or 0), "check": p.check} for p in patterns)
        reasons = ({"source": line.source, "text": line.text, "reason": reason} for line, reason in missed)
        print_json({"labels": len(lines), "rule": list(fields), "not_covered": list(reasons)})
        return
    print("\n".join(map(_shown, rule_lines(patterns))))
    for pattern in patterns:
        if pattern.check:
            passing = f"all {pattern.weight:.0f} labels of {_shown(pattern.pattern)}"
            print(f"# {passing} pass the {pattern.check} check")
    print(f"# covers {len(lines) - len(missed)} of {len(lines)} labels")
    for line, reason in missed[:SHOWN]:
        print(f"#   {line.source}: {_shown(repr(line.text))} {_shown(reason or '')}")
    if len(missed) > SHOWN:
        print(f"#   and {len(missed) - SHOWN} more")


def _shown(text: str) -> str:
    """A text with escapes, which regular expressions know too, for what the console cannot show."""
    return text.encode(sys.stdout.encoding or "ascii", "backslashreplace").decode(
        sys.stdout.encoding or "ascii"
    )
