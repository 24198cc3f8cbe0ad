"""``linetune rule``"""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from linetune.cli import options
from linetune.core.errors import place

SHOWN = 10
"""Labels without a pattern that are shown."""


def rule(
    labels: options.LabelsArgument,
    least: Annotated[
        int | None,
        typer.Option(
            metavar="NUMBER",
            min=1,
            help="Labels that a pattern must cover at least. The default is one label in 200.",
        ),
    ] = None,
    as_json: options.JsonOption = False,
) -> None:
    """Propose a rule: the regular expressions that your labels follow.

    Prints YAML for the synth section of the run file. Rendered crops then show texts like yours.

    Example: linetune rule mine/crops/train.txt
    """
    from linetune.config.new import rule_value
    from linetune.core.labelfile import read_labels
    from linetune.rules.infer import propose
    from linetune.rules.rule import Rule

    lines = read_labels(*labels)
    proposal = propose([line.text for line in lines], least)
    patterns = proposal.patterns
    proposed = Rule(patterns)
    missed = [(lines[place], proposed.objection(lines[place].text)) for place in proposal.missed]
    if as_json:
        fields = ({"pattern": p.pattern, "weight": int(p.weight or 0), "check": p.check} for p in patterns)
        reasons = ({"source": line.source, "text": line.text, "reason": reason} for line, reason in missed)
        options.print_json({"labels": len(lines), "rule": list(fields), "not_covered": list(reasons)})
        return
    value = rule_value(patterns)
    lines_of_rule = [f"  rule: {value}"] if isinstance(value, str) else ["  rule:", *value]
    print("\n".join(map(_escaped, lines_of_rule)))
    for pattern in patterns:
        if pattern.check:
            passing = f"all {pattern.weight:.0f} labels of {_escaped(pattern.pattern)}"
            print(f"# {passing} pass the {pattern.check} check")
    print(f"# covers {len(lines) - len(missed)} of {len(lines)} labels")
    for line, reason in missed[:SHOWN]:
        print(f"#   {place(line.source)}: {_escaped(repr(line.text))} {_escaped(reason or '')}")
    if len(missed) > SHOWN:
        print(f"#   and {len(missed) - SHOWN} more")


def _escaped(text: str) -> str:
    """Return a text with escapes for what the console cannot show. Regular expressions know them too."""
    encoding = sys.stdout.encoding or "ascii"
    return text.encode(encoding, "backslashreplace").decode(encoding)
