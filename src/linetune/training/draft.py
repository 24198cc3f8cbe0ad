"""A run's file drafted from labels: data, rule, charset and fonts, with the reasons of each decision."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, ExitStack
from dataclasses import dataclass, field
from pathlib import Path

from linetune.config import Config, Pattern
from linetune.config.new import filled, path_value, rule_lines
from linetune.core import atomic, files, image, labelfile
from linetune.core.charset import Charset, show
from linetune.core.errors import LinetuneError
from linetune.core.image import Crop
from linetune.core.labelfile import Line, read_labels
from linetune.core.progress import Reporter, count
from linetune.data.groups import group
from linetune.data.split import NAMES, SHARES, TRAIN, Division, divide, write
from linetune.decode.read import read_crops
from linetune.formats.model import Model
from linetune.formats.official import load_base
from linetune.formats.transfer import with_charset
from linetune.rules import Rule
from linetune.rules.infer import propose
from linetune.rules.series import Gap, gaps, widened
from linetune.synth import choose
from linetune.synth import fonts as typefaces

CONFIG, CHARSET, LABELS = "linetune.yaml", "charset.txt", "labels"
FOLLOWED = 0.7
"""Least share of the train and of the val labels that a useful rule covers.

The val labels show whether it is a rule. Of 400 lines of free text a proposal covered 93 %, of 100 others
43 % (docs/log.md).
"""
SMALL, FEWEST_SMALL = 0.05, 2
"""Least share, and number, of crops with small letters under capitals: below, the base model may be wrong."""
SMALL_RENDERED = 0.5
"""Share of the rendered crops that then show them: both kinds are learnt best where they come alike often."""
ADD_FONTS = "--fonts names more: files, or a folder of them"

Ask = Callable[[str, bool], bool]
"""A yes-or-no question with its default answer."""


@dataclass
class Draft:
    """What the files of a new run will hold."""

    folder: Path
    """Where they will lie."""
    splits: dict[str, list[Line]]
    division: Division | None = None
    """Of one label file; None where the splits are there already."""
    patterns: list[Pattern] = field(default_factory=list)
    """The rule; none where no crops are rendered."""
    added: Charset | None = None
    """The charset, where it holds more than the train labels and the rule."""
    fonts: list[Path] = field(default_factory=list)
    small_letters: float = 0
    """Share of the rendered crops to draw in small letters under labels in capitals."""
    told: list[str] = field(default_factory=list)
    """The decisions, a line each."""

    @property
    def texts(self) -> list[str]:
        """The labels that may be looked at: all but the test labels."""
        return [line.text for name in NAMES[:2] for line in self.splits[name]]


def draft(
    folder: Path,
    source: Path,
    fonts: Sequence[Path] | None,
    also: str | None,
    ask: Ask | None,
    watch: Callable[[], AbstractContextManager[Reporter]],
) -> Draft:
    """Decide what a run's file says.

    Args:
        folder: the folder for it.
        source: a label file of all crops, or a folder with train.txt and val.txt.
        fonts: files and folders to choose from; those of this machine when None.
        also: characters that can come besides those of the labels and the rule; found out when None.
        ask: whether characters can come that the labels lack; None where nobody answers.
        watch: opens a reporter for what takes long; none is open while something is asked.

    Raises:
        LinetuneError: labels that cannot be read or split, no crop that can be read, or no base model.
    """
    with watch() as reporter:
        new = _with_labels(folder, source, reporter)
    crops = _crops(new)
    _set_rule(new)
    _set_charset(new, also, ask)
    with watch() as reporter:
        name = Config.model_fields["base_model"].default
        base = load_base(name, lambda done, total: reporter.progress("weights", done, total))
        if new.patterns:
            _set_fonts(new, fonts, crops, base, reporter)
            _set_small_letters(new, crops, base)
    wanted = new.added or Charset.collect([*new.texts, *_alphabet(new.patterns)])
    if unknown := [c for c in wanted.characters if c not in base.charset]:
        new.told.append(f"the base model has never seen {show(*unknown)}; training must teach them")
    return new


def save(new: Draft) -> Path:
    """Write the files of a draft, all or none; the run's file comes back.

    Raises:
        LinetuneError: the folder cannot be written, or holds one of them.
    """
    path, fresh = new.folder / CONFIG, not new.folder.exists()
    try:
        new.folder.mkdir(parents=True, exist_ok=True)
        # They take their places in reverse order, the run's file last.
        with ExitStack() as stack:
            stack.enter_context(atomic.written(path)).write_text(_text(new), "utf-8", newline="\n")
            if new.added:
                new.added.write(stack.enter_context(atomic.written(new.folder / CHARSET)))
            if new.division:
                write(new.division, stack.enter_context(atomic.folder_written(new.folder / LABELS)))
    except OSError as error:
        raise LinetuneError(f"cannot write ({error.strerror})", new.folder) from None
    finally:
        if fresh and not path.exists():
            with contextlib.suppress(OSError):
                new.folder.rmdir()
    return path


def _with_labels(folder: Path, source: Path, reporter: Reporter) -> Draft:
    if source.is_dir():
        return Draft(folder, _read_splits(source), told=[f"data: the label files in {source}"])
    beside = source.parent
    if source.name in _names() and all((beside / f"{name}.txt").exists() for name in NAMES[:2]):
        other = "val.txt" if source.name == "train.txt" else "train.txt"
        raise LinetuneError(f"there is a {other} beside it", source, f"give the folder: --from {beside}")
    lines = read_labels(source)
    refuse_present(folder / LABELS)
    unreadable: list[LinetuneError] = []
    groups = group(lines, None, count(reporter, "comparing", len(lines)), unreadable)
    try:
        division = divide(lines, groups, SHARES)
    except LinetuneError as error:
        hint = "linetune split LABELS --to DIR has settings; then --from DIR"
        raise LinetuneError(error.what, source, hint) from None
    sizes = ", ".join(f"{name} {len(some)}" for name, some in division.splits.items())
    told = [f"data: {len(lines)} labels are split into {folder / LABELS}: {sizes}"]
    told += [f"not balanced: {reason}" for reason in division.unbalanced]
    return Draft(folder, division.splits, division, told=told)


def _read_splits(folder: Path) -> dict[str, list[Line]]:
    paths = {name: folder / f"{name}.txt" for name in NAMES}
    missing = [path.name for name, path in paths.items() if name != "test" and not path.is_file()]
    if missing:
        what = f"the folder holds no {' and no '.join(missing)}"
        raise LinetuneError(what, folder, "give a label file of all crops, which is then split")
    return {name: read_labels(path) for name, path in paths.items() if path.is_file()}


def _names() -> set[str]:
    return {f"{name}.txt" for name in NAMES}


def refuse_present(path: Path) -> None:
    """Refuse to write what is there already.

    Raises:
        LinetuneError: it is there.
    """
    if path.exists():
        kind = "folder" if path.is_dir() else "file"
        raise LinetuneError(f"there is a {kind} already", path, "choose another folder for the run")


def _crops(new: Draft) -> list[tuple[Crop, str]]:
    """Some of the crops to train on, with their labels."""
    crops = []
    for line in labelfile.spread(new.splits[TRAIN], choose.CROPS):
        # What cannot be read is told of by linetune check, and before training.
        with contextlib.suppress(LinetuneError):
            crops.append((image.read(line.image), line.text))
    if not crops:
        first = new.splits[TRAIN][0]
        hint = "image paths start at the folder of their label file"
        raise LinetuneError("none of the images can be read", first.source, hint)
    return crops


def _set_rule(new: Draft) -> None:
    train, val = ([line.text for line in new.splits[name]] for name in NAMES[:2])
    try:
        patterns = propose(train).patterns
    except LinetuneError as error:
        new.told.append(f"no rule ({error.what}): no crops are rendered, and their stages are left out")
        return
    follows = Rule(patterns).matches
    covered = [sum(map(follows, texts)) for texts in (train, val)]
    number = "one pattern covers" if len(patterns) == 1 else f"{len(patterns)} patterns cover"
    said = f"{number} {covered[0]} of {len(train)} train labels and {covered[1]} of {len(val)} val labels"
    if covered[0] < FOLLOWED * len(train) or covered[1] < FOLLOWED * len(val):
        new.told.append(f"no rule ({said}): no crops are rendered, and their stages are left out")
        return
    new.patterns = patterns
    new.told.append(f"rule: {said}")


def _set_charset(new: Draft, also: str | None, ask: Ask | None) -> None:
    auto = Charset.collect([*(line.text for line in new.splits[TRAIN]), *_alphabet(new.patterns)])
    there = Charset.collect([*auto.characters, *new.texts])
    wanted = [*there.characters, *(_missing(new, there, ask) if also is None else also)]
    charset = Charset.collect(wanted)
    added = [c for c in charset.characters if c not in auto]
    if not added:
        new.told.append(f"charset: auto, the {len(auto)} characters of the labels and the rule")
        return
    refuse_present(new.folder / CHARSET)
    new.added = charset
    more = " ".join(added)
    new.told.append(f"charset: {CHARSET}, the {len(auto)} of the train labels and the rule, and {more}")
    patterns = [p.model_copy(update={"pattern": widened(p.pattern, added)}) for p in new.patterns]
    if patterns != new.patterns:
        # What is never drawn is never learned.
        new.told.append("rule: its list of them is completed, so that they are rendered too")
        new.patterns = patterns


def _missing(new: Draft, there: Charset, ask: Ask | None) -> list[str]:
    """What of the series may come, by answer or by default."""
    taken = list[str]()
    for gap in gaps(new.texts, there.characters):
        taken += _answered(gap, ask) if ask else gap.missing
        if left_out := [c for c in gap.missing + gap.avoided if c not in taken]:
            why = "as you said" if ask else "since they look like digits and no label has them"
            names = " ".join(left_out)
            new.told.append(f"left out of the {gap.series}: {names}, {why}; --also adds them")
    return taken


def _answered(gap: Gap, ask: Ask) -> str:
    taken = ""
    lacking = f"The labels have no {{}} of the {gap.series}. Can they come?"
    if gap.missing and ask(lacking.format(" ".join(gap.missing)), True):
        taken += gap.missing
    if gap.avoided and ask(lacking.format(" ".join(gap.avoided)), False):
        taken += gap.avoided
    return taken


def _alphabet(patterns: Sequence[Pattern]) -> tuple[str, ...]:
    return Rule(patterns).alphabet if patterns else ()


def _set_fonts(
    new: Draft,
    among: Sequence[Path] | None,
    crops: Sequence[tuple[Crop, str]],
    base: Model,
    reporter: Reporter,
) -> None:
    """Choose fonts; where none is to be had, no crops are rendered."""
    alphabet = _alphabet(new.patterns)
    limited = with_charset(base, Charset.collect(alphabet))
    found = typefaces.find_files(among) if among else typefaces.installed()
    try:
        able = typefaces.that_draw(found, alphabet)
    except LinetuneError as error:
        _drop_rule(new, str(error))
        return
    chosen = choose.choose(
        able,
        [(crop, text) for crop, text in crops if not set(text) - set(alphabet)],
        limited.model.network,
        limited.model.charset,
        limited.unknown,
        lambda done, total: reporter.progress("comparing fonts", done, total),
    )
    for font in chosen.refused:
        new.told.append(f"refused {font.path}: what it draws is not read as the characters it stands for")
    if not chosen.fonts:
        measured = chosen.refused or not able
        why = f"none of {len(found)} fonts draws every character of the rule and can be read; {ADD_FONTS}"
        _drop_rule(new, why if measured else "no crop of three characters or more can be measured")
        return
    new.fonts = [font.path.resolve() for font in chosen.fonts]
    names = ", ".join(path.stem for path in new.fonts)
    of_all = f"of {len(able)} that draw the rule, the {len(new.fonts)} most like the crops"
    new.told.append(f"fonts: {of_all}: {names}")


def _set_small_letters(new: Draft, crops: Sequence[tuple[Crop, str]], base: Model) -> None:
    """See whether labels are in capitals while the print is not, by what the base model reads."""
    lettered = [(crop, text) for crop, text in crops if text == text.upper() != text.lower()]
    if any(c.islower() for text in new.texts for c in text) or not lettered:
        return
    readings = read_crops(base.reader.run, [crop for crop, _ in lettered], base.charset)
    pairs = zip(readings, lettered, strict=True)
    small = sum(reading.text != text == reading.text.upper() for reading, (_, text) in pairs)
    if small < FEWEST_SMALL or small < SMALL * len(lettered):
        return
    new.small_letters = SMALL_RENDERED
    new.told.append(
        f"small_letters: {SMALL_RENDERED}, since {small} of {len(lettered)} crops with capitals in their "
        "labels show small letters"
    )


def _drop_rule(new: Draft, why: str) -> None:
    """Render nothing; the characters that the rule brought stay."""
    brought = Charset.collect([*new.texts, *_alphabet(new.patterns)])
    if new.added is None and any(c not in Charset.collect(new.texts) for c in brought.characters):
        refuse_present(new.folder / CHARSET)
        new.added = brought
        new.told.append(f"charset: {CHARSET}, since it holds characters that only the rule has")
    new.patterns = []
    new.told.append(f"no crops are rendered, and their stages are left out: {why}")


def _text(new: Draft) -> str:
    """The run's file."""
    labels = {name: _place(new, name) for name in NAMES}
    return filled(
        {
            "charset": CHARSET if new.added else "auto",
            "data.train": labels["train"],
            "data.val": labels["val"],
            "data.test": labels["test"],
            "synth.rule": _rule_value(new.patterns),
            "synth.fonts": [f"    - {path_value(path.as_posix())}" for path in new.fonts],
            "synth.looks": labels["train"],
            **({"synth.small_letters": str(new.small_letters)} if new.small_letters else {}),
        },
        rendered=bool(new.patterns),
    )


def _rule_value(patterns: Sequence[Pattern]) -> str | list[str] | None:
    if not patterns:
        return None
    first, *below = rule_lines(patterns)
    return below or first.partition(": ")[2]


def _place(new: Draft, name: str) -> str | None:
    """A split's label file as the run's file names it."""
    if name not in new.splits:
        return None
    if new.division:
        return f"{LABELS}/{name}.txt"
    path = Path(new.splits[name][0].source.rpartition(":")[0])
    return path_value(files.relative(path, new.folder))
