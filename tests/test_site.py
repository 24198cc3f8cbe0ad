"""The pages: their commands, settings, Python code, links and pictures, the navigation, and the reference."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Iterator
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any, ClassVar
from urllib.parse import unquote

import pytest
import reference
import typer
from assemble import ROOT_PAGES
from markdown_pages import blocks, command_lines, commands, tokens
from pydantic import BaseModel, ValidationError
from ruamel.yaml import YAML

import linetune
from linetune.cli import COMMANDS, USAGE_ERROR, app
from linetune.config.load import load
from linetune.config.schema import Augment, Config, Data, Pattern, Stage, Synth
from linetune.core.errors import LinetuneError
from linetune.report.words import Words, catalogue

ROOT = Path(__file__).parents[1]
DOCS = ROOT / "docs"
PRESET = ROOT / "src/linetune/config/presets/default.yaml"
PAGES = sorted([*ROOT.glob("*.md"), *DOCS.rglob("*.md")])
SECTIONS: dict[str, type[BaseModel]] = {
    "": Config,
    "data.": Data,
    "synth.": Synth,
    "synth.rule.": Pattern,
    "stages.": Stage,
    "stages.augment.": Augment,
}
REFERENCE = reference.pages()
each_page = pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())


def wrong_command(words: list[str]) -> str | None:
    """What is wrong with a command, as far as it is one of linetune's, make's, pip's or Python's."""
    if "-m" in words and words[words.index("-m") + 1] == "linetune":  # of python or torchrun
        words = words[words.index("-m") + 1 :]
    match words:
        case ["linetune", "--version"]:
            return None
        case ["linetune", name, *rest]:
            return wrong_arguments(name, rest)
        case ["make", target, *_]:
            rules = (ROOT / "Makefile").read_text("utf-8")
            return None if re.search(rf"^{target}:", rules, re.M) else "no such target"
        case ["pip", "install", *packages]:
            named = ",".join(re.findall(r"(?:\.|linetune)\[([\w,]+)\]", " ".join(packages))).split(",")
            return ", ".join({*named} - {*extra_names(), ""})
        case ["python" | "python3", script, *_] if script.startswith(("examples/", "benchmarks/", "tests/")):
            return None if (ROOT / script).is_file() else "no such file"
    return None


def extra_names() -> list[str]:
    text = (ROOT / "pyproject.toml").read_text("utf-8")
    return re.findall(r"^(\w+) = \[", text.partition("[project.optional-dependencies]")[2], re.M)


@cache
def command_group() -> Any:
    return typer.main.get_command(app)


def wrong_arguments(name: str, arguments: list[str]) -> str | None:
    """What the command line would say of these arguments, and the schema of their overrides."""
    group = command_group()
    root = group.make_context("linetune", ["models"], resilient_parsing=True)
    if name not in group.commands:
        return "unknown command"
    try:
        context = group.commands[name].make_context(name, list(arguments), parent=root)
        if "overrides" in context.params:
            # After --resume, the first override is where the run file would be.
            first = [str(context.params["config"])] if context.params.get("resume") else []
            given = [each for each in first if "=" in each] + list(context.params["overrides"] or ())
            runs = name == "learning-curve"  # it takes run folders as well
            load(PRESET, [each for each in given if "=" in each or not runs])
    except USAGE_ERROR as error:
        return str(error.format_message())
    except LinetuneError as error:
        return str(error)
    return None


@each_page
def test_commands_are_what_the_command_line_takes(page: Path) -> None:
    wrong = [f"{' '.join(words)}: {problem}" for words in commands(page) if (problem := wrong_command(words))]
    assert not wrong


@pytest.mark.parametrize(
    "line",
    [
        "linetune trian linetune.yaml",
        "linetune train linetune.yaml --withn 20min",
        "linetune compare one",
        "linetune inspect one two",
        "linetune train linetune.yaml stages.real.epoch=5",
        "linetune train linetune.yaml stages.raal.epochs=5",
        "linetune train linetune.yaml seed=one",
        "linetune train --resume runs/first loggers=[nobody]",
        "CROPS=3 torchrun --nproc-per-node 2 -m linetune train --resume a --overwrit",
        "cd mine && linetune chek linetune.yaml | less",
        "make everything",
        "pip install 'linetune[trian]'",
        "python examples/nothing.py",
    ],
)
def test_a_wrong_command_is_found(line: str) -> None:
    assert any(wrong_command(words) for words in command_lines(line))


def wrong_keys(settings: Any) -> list[Any]:
    """The problems of single keys. Several sections can contradict each other, and a page may show one."""
    try:
        Config.model_validate(settings)
    except ValidationError as error:
        return [each for each in error.errors() if each["loc"]]
    return []


@each_page
def test_settings_are_those_of_the_schema(page: Path) -> None:
    """A block of YAML with keys of a run file changes the example of ``linetune init``.

    Other blocks are rules, or files of other programs.
    """
    for block in blocks(page, "yaml"):
        settings = YAML(typ="safe").load(block)
        if isinstance(settings, dict) and settings.keys() & Config.model_fields.keys():
            whole = YAML(typ="safe").load(PRESET.read_text("utf-8"))
            for key, value in settings.items():
                whole[key] = {**whole[key], **value} if isinstance(value, dict) and key in whole else value
            assert not wrong_keys(whole)


@each_page
def test_python_blocks_compile(page: Path) -> None:
    for block in blocks(page, "python"):
        compile(block, str(page), "exec")


@cache
def anchors(page: Path) -> set[str]:
    """The anchors that GitHub and the site give to the headings of a page."""
    headings = [n + 1 for n, token in enumerate(tokens(page)) if token.type == "heading_open"]
    plain = ["".join(part.content for part in tokens(page)[n].children or ()) for n in headings]
    return {re.sub(r"[^\w\- ]", "", text.lower()).strip().replace(" ", "-") for text in plain}


def targets(page: Path) -> Iterator[str]:
    """What the links and the pictures of a page name, without other sites."""
    for token in tokens(page):
        for part in token.children or ():
            target = str(part.attrGet("href") or part.attrGet("src") or "")
            if target and not re.match("[a-z]+:", target):
                yield unquote(target)


@each_page
def test_links_and_pictures_exist(page: Path) -> None:
    wrong = []
    for target in targets(page):
        path, _, anchor = target.partition("#")
        file = (page.parent / path).resolve() if path else page
        if path in REFERENCE and page.parent == DOCS:  # only on the site
            continue
        if not file.is_file() or (anchor and anchor not in anchors(file)):
            wrong.append(target)
    assert not wrong


def navigation() -> Iterator[str]:
    """The pages that the navigation of the site names."""
    waiting = [YAML(typ="safe").load((ROOT / "mkdocs.yml").read_text("utf-8"))["nav"]]
    while waiting:
        match waiting.pop():
            case str(page):
                yield page
            case dict(titled):
                waiting += titled.values()
            case list(several):
                waiting += several


def test_the_navigation_has_all_pages() -> None:
    docs = {page.relative_to(DOCS).as_posix() for page in DOCS.rglob("*.md")} | REFERENCE.keys()
    english = {page for page in docs if not page.endswith(".zh.md")}
    at_root = {page for name, page in ROOT_PAGES.items() if (ROOT / name).is_file()}
    assert set(navigation()) == english | at_root
    assert len(list(navigation())) == len(set(navigation()))


def test_the_reference_has_every_key_with_type_default_and_description() -> None:
    page = REFERENCE["reference/configuration.md"]
    for prefix, section in SECTIONS.items():
        for name, field in section.model_fields.items():
            entry = page.partition(f"\n### `{prefix}{name}`\n")[2].partition("\n##")[0]
            description = field.description or field.annotation.__doc__ or ""
            assert " ".join(description.split()) in entry, name
            assert len(entry.split("\n\n")[1]) > 10, name
            assert field.is_required() == entry.strip().partition("\n")[0].endswith("required*"), name


@pytest.mark.parametrize(
    ("key", "line"),
    [
        ("output", "*path; required*"),
        ("charset", "*`auto` or path; default `auto`*"),
        ("charset_space", "*`true` or `false`; default `false`*"),
        ("data.test", "*list of: path; no default*"),
        ("synth.parts", "*mapping of names to texts; empty by default*"),
        ("synth.texts", "*`balanced` or `uniform` or `like_labels`; default `balanced`*"),
        ("synth.half_turn", "*number from 0 to 1; default `0`*"),
        ("stages.learning_rate", "*number above 0; no default*"),
        ("stages.batch_size", "*integer from 1; default `32`*"),
        ("stages.freeze", "*list of: `backbone` or `neck` or `head`; empty by default*"),
        ("stages.augment", "*section [stages.augment](#stagesaugment_1); default `none`*"),
    ],
)
def test_the_reference_says_types_and_defaults(key: str, line: str) -> None:
    assert f"### `{key}`\n\n{line}\n" in REFERENCE["reference/configuration.md"]


@pytest.mark.parametrize(
    ("key", "line"),
    [
        ("charset", "*`auto` / 路径；默认 `auto`*"),
        ("synth.half_turn", "*数值，0 到 1；默认 `0`*"),
        ("stages", "*列表，每项：[stages](#stages_1) 一节；必填*"),
        ("stages.learning_rate", "*数值，大于 0；无默认值*"),
        ("stages.epochs", "*整数，不小于 1；无默认值*"),
    ],
)
def test_the_chinese_reference_says_types_and_defaults(key: str, line: str) -> None:
    assert f"### `{key}`\n\n{line}\n" in REFERENCE["reference/configuration.zh.md"]


class Heard(Words):
    """The words of English, and the sentences that they were asked for."""

    sentences: ClassVar[set[str]] = set()

    def __call__(self, sentence: str, **values: object) -> str:
        self.sentences.add(sentence)
        return super().__call__(sentence, **values)


def test_every_sentence_of_the_configuration_is_there_in_chinese() -> None:
    reference.configuration(Heard())
    known = catalogue("zh", ROOT / "tools/site").keys()
    missing, unused = Heard.sentences - known, known - Heard.sentences
    assert not missing, f"tools/site/zh.json lacks: {missing}"
    assert not unused, f"tools/site/zh.json has sentences that no page has: {unused}"


def test_the_reference_has_every_command_and_option() -> None:
    page = reference.commands()
    group = command_group()
    assert len(group.commands) == sum(map(len, COMMANDS.values()))
    for name, command in group.commands.items():
        entry = page.partition(f"\n### linetune {name}\n")[2].partition("\n##")[0]
        names = [each for parameter in command.params for each in parameter.opts]
        for option in (each for each in names if each.startswith("-")):
            assert re.search(rf"^- `(?:[^`]*, )?{option}\b.*`: \S", entry, re.M), (name, option)
    assert "- `--max-loss" in page
    assert "default: 0.5" in page
    assert "path&lt;TAB>text" in page  # Markdown would take it for HTML


def test_the_reference_has_every_public_name() -> None:
    page = reference.python()
    for name in linetune.__all__:
        assert f"::: linetune.{name}\n" in page


@pytest.mark.skipif(not (find_spec("mkdocs") and find_spec("material")), reason="needs the extra docs")
def test_the_site_builds_without_a_warning_and_asks_no_other_server(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", str(tmp_path / "site")]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    pages = list((tmp_path / "site").rglob("*.html"))
    assert tmp_path / "site/zh/index.html" in pages
    assert "训练目录。必填。" in (tmp_path / "site/zh/reference/configuration.html").read_text("utf-8")
    for page in pages:
        text = page.read_text("utf-8")
        assert not re.search(r'<(?:script|img|iframe)[^>]+src="(?:https?:)?//', text), page
        assert not re.search(r'<link[^>]+href="(?:https?:)?//[^>]*rel="stylesheet', text), page
