"""The report of a run in a browser, and as people read it."""

from __future__ import annotations

import ast
import base64
import json
import re
import shutil
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from string import Formatter
from typing import TYPE_CHECKING
from xml.etree import ElementTree

import cv2
import numpy as np
import pytest
from browser import empty_page
from conftest import Cli
from demo import make_run
from lxml import html

from linetune.analysis.learning_curve import Curve, Point
from linetune.analysis.suspects import Reading as Suspect
from linetune.analysis.suspects import Suspects
from linetune.cli.compare import _told_apart as told_apart
from linetune.core import image
from linetune.core.labelfile import Line
from linetune.data.check.findings import KINDS
from linetune.decode import Reading
from linetune.evaluation.comparison import Comparison
from linetune.evaluation.metrics import Score
from linetune.evaluation.result import Evaluation
from linetune.evaluation.stored import FOLDER, KEPT, read_evaluations, write_evaluations
from linetune.report.comparison import write_comparison
from linetune.report.curve import write_curve_page, write_picture
from linetune.report.figures import curves
from linetune.report.glossary import Linker, glossary
from linetune.report.history import StageHistory, Validated
from linetune.report.misread import write_misread
from linetune.report.page import rendered
from linetune.report.run_page import write_report
from linetune.report.suspects import write_suspects
from linetune.report.words import Words, catalogue

if TYPE_CHECKING:
    from playwright.sync_api import Browser

SOURCE = Path(__file__).parents[1] / "src" / "linetune"
ENGLISH = Words("en")


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_run(tmp_path_factory.mktemp("run"), drawn=24, tested=300)


@pytest.fixture(scope="module")
def page(run: Path) -> Path:
    return write_report(run, ENGLISH)


@pytest.fixture
def copy(run: Path, tmp_path: Path) -> Path:
    """A run of its own, with its data."""
    shutil.copytree(run.parent, tmp_path / "copy")
    return tmp_path / "copy" / "run"


def decoded(source: str) -> image.Crop:
    """The picture of a data URL."""
    data = base64.b64decode(source.partition("base64,")[2])
    return image.decode(np.frombuffer(data, np.uint8), "page")


@pytest.mark.parametrize(("scheme", "scripts"), [("light", True), ("dark", False)])
def test_a_report_opens_alone_in_light_and_dark_and_without_scripts(
    browser: Browser, page: Path, scheme: str, scripts: bool
) -> None:
    with empty_page(browser, color_scheme=scheme, java_script_enabled=scripts) as opened:
        opened.page.goto(page.as_uri())
        shot = cv2.imdecode(np.frombuffer(opened.page.screenshot(), np.uint8), cv2.IMREAD_COLOR)
        assert shot is not None
        assert (shot[2, 2].mean() > 200) == (scheme == "light")
        assert opened.page.get_by_text("The model is better: +").is_visible()
        ink = opened.page.locator("svg text").first
        assert ink.is_visible()
        assert opened.errors == []
        assert [url for url in opened.requests if not url.startswith("data:")] == [page.as_uri()]


def test_the_keyboard_reaches_the_content_first(browser: Browser, page: Path) -> None:
    with empty_page(browser) as opened:
        opened.page.goto(page.as_uri())
        opened.page.keyboard.press("Tab")
        skip = opened.page.locator("a:focus")
        assert skip.inner_text() == "Skip to the content"
        box = skip.bounding_box()
        assert box is not None
        assert box["y"] >= 0, "it is seen while it has the focus"
        skip.press("Enter")
        assert opened.page.url.endswith("#content")
        opened.page.keyboard.press("Tab")
        assert opened.page.locator("#content :focus").count(), "the contents are behind us"


def test_a_report_fits_a_telephone_and_can_be_printed(browser: Browser, page: Path) -> None:
    with empty_page(browser, viewport={"width": 400, "height": 800}) as opened:
        opened.page.goto(page.as_uri())
        width = opened.page.evaluate("document.documentElement.scrollWidth")
        assert width <= 400
        assert opened.page.pdf(format="A4").startswith(b"%PDF")


def test_the_gallery_shows_the_misread_crops_the_surest_first(page: Path, run: Path) -> None:
    kept = read_evaluations(run / FOLDER / KEPT)["test"]
    tree = html.parse(page).getroot()
    items = tree.xpath("//ol[@class='gallery']/li")
    assert len(items) == len(kept.misread) > 5
    by_source = {line.source: number for number, line in enumerate(kept.lines)}
    confidences = []
    for item in items:
        *_, where = item.xpath(".//dd")
        number = by_source[where.text_content()]
        line, reading = kept.lines[number], kept.readings[number]
        (picture,) = item.xpath(".//img")
        crop = image.resize(image.read(line.image)).astype(int)
        assert np.abs(decoded(picture.get("src")).astype(int) - crop).mean() < 8
        assert picture.get("alt") == f"Crop with the label {line.text}"
        label, read, _, confidence = (dd.text_content() for dd in item.xpath(".//dd")[:4])
        assert label.replace("∅", "").replace("␣", " ") == line.text
        assert read.replace("∅", "").replace("␣", " ") == reading.text
        assert float(confidence.split()[0]) == pytest.approx(reading.confidence, abs=1.1e-4)
        confidences.append(reading.confidence)
    assert confidences == sorted(confidences, reverse=True)


def replaced(run: Path, *pairs: tuple[str, str]) -> Path:
    """Give the first test crops of a run other labels and readings, and write its report."""
    kept = read_evaluations(run / FOLDER / KEPT)["test"]
    lines = [replace(line, text=text) for line, (text, _) in zip(kept.lines, pairs, strict=False)]
    read = [Reading(text, 0.99996) for _, text in pairs]
    count = len(pairs)
    changed = Evaluation([*lines, *kept.lines[count:]], [*read, *kept.readings[count:]])
    write_evaluations(run / FOLDER / KEPT, {"test": changed})
    return write_report(run, ENGLISH)


def test_errors_are_seen_without_colours_and_in_a_copied_text(browser: Browser, copy: Path) -> None:
    page = replaced(copy, ("A 1", "A1"), ("LOT1", "LO T7"))
    with empty_page(browser) as opened:
        opened.page.goto(page.as_uri())
        legend = "a character that differs · ␣ a space that differs · ∅ no character here"
        assert opened.page.get_by_text(legend).is_visible()
        opened.page.emulate_media(media="print")  # which lays out what is off the screen too
        items = opened.page.locator(".gallery li dl")
        copied = [items.nth(number).inner_text().split(" ·")[0].split("\n") for number in (0, 1)]
        assert copied[0][:8] == ["label", "A␣1", "read", "A∅1", "difference", "␣ → ∅", "confidence", "0.9999"]
        assert copied[1][:6] == ["label", "LO∅T1", "read", "LO␣T7", "difference", "∅ → ␣, 1 → 7"]
        marks = [items.nth(1).locator(f"mark.{kind}").first for kind in ("wrong", "missing")]
        style = "node => [getComputedStyle(node).textDecorationLine, getComputedStyle(node).outlineStyle]"
        assert [mark.evaluate(style) for mark in marks] == [["underline", "none"], ["none", "dashed"]]


def test_the_gallery_says_where_the_surest_errors_end(copy: Path) -> None:
    page = replaced(copy, *[("LOT 1", "LOT 7")] * 4)
    tree = html.parse(page).getroot()
    (end,) = tree.xpath("//p[@class='ends']")
    number = int(end.text.removeprefix("The ").removesuffix(" surest errors end here. The others follow."))
    assert number >= 4
    before, after = (
        end.xpath(f"{axis}-sibling::ol[@class='gallery']/li") for axis in ("preceding", "following")
    )
    assert (len(before), bool(after)) == (number, True)
    steps = [item.text_content() for item in tree.xpath("//section[@id='verdict']/ol/li")]
    assert steps[0].startswith(f"Look at the {number} surest errors first")


def with_errors(run: Path, **errors: str) -> str:
    """Give a run sure readings that are right, except for these labels, and return its report."""
    kept = read_evaluations(run / FOLDER / KEPT)["test"]
    wrong = [Reading(read, 0.1) for read in errors.values()]
    right = [Reading(line.text, 0.99) for line in kept.lines[len(wrong) :]]
    lines = [replace(line, text=text) for line, text in zip(kept.lines, errors, strict=False)]
    changed = Evaluation([*lines, *kept.lines[len(wrong) :]], [*wrong, *right])
    write_evaluations(run / FOLDER / KEPT, {"test": changed})
    return write_report(run, ENGLISH).read_text("utf-8")


def test_a_confusion_matrix_says_what_it_leaves_out(copy: Path) -> None:
    left_out = "Rarer ones are not shown, so a row can add up to less than in the table above."
    few = with_errors(copy, a="A", b="B")
    assert left_out not in few
    assert "Only characters that are confused are shown." in few
    many = with_errors(copy, abcdefghi="ABCDEFGHI")
    assert f"The 16 characters with the most confusions. {left_out}" in many
    assert "Only characters that are confused are shown." not in many


def test_a_report_says_what_the_test_crops_choose(copy: Path) -> None:
    model = "The model is not chosen on the test crops."
    threshold = "The threshold of the verdict is chosen on them."
    check = "Check the threshold on new crops: it was chosen on these test crops."
    text = with_errors(copy)
    (box,) = html.fromstring(text).xpath("//div[contains(@class, 'verdict')]")
    assert f"{check} This command writes it into the model:" in box.text_content()
    assert f"{model} {threshold}" in text
    assert re.search(r"All \d+ characters are always read right\.", text)
    shutil.rmtree(copy / FOLDER)
    text = write_report(copy, ENGLISH).read_text("utf-8")
    assert model in text
    assert check not in text
    assert threshold not in text, "without readings, there is none"


def test_a_table_of_characters_says_what_it_leaves_out(copy: Path) -> None:
    text = with_errors(copy, abcdefghijklmnopq="ABCDEFGHIJKLMNOPQ")
    rest = html.fromstring(text).xpath("//p[contains(text(), 'sometimes read wrong')]")
    assert [each.text for each in rest] == ["2 more characters are sometimes read wrong: 'p', 'q'"]
    assert re.search(r"\d+ other characters are always read right\.", text)
    assert "sometimes read wrong" not in with_errors(copy, abc="ABC")


@pytest.mark.parametrize(
    ("confidence", "said"),
    [
        (0.999, "The model is too sure: its mean confidence is 0.9990, and 90.0% of its readings are right."),
        (0.5, "The model is not sure enough: its mean confidence is 0.5000, and 90.0% of its readings"),
        (
            0.9,
            "On the whole, it is neither too sure nor too unsure: its mean confidence is 0.9000, and 90.0%",
        ),
    ],
)
def test_a_report_says_what_the_calibration_error_means(copy: Path, confidence: float, said: str) -> None:
    kept = read_evaluations(copy / FOLDER / KEPT)["test"]
    read = [Reading(line.text if number % 10 else "", confidence) for number, line in enumerate(kept.lines)]
    write_evaluations(copy / FOLDER / KEPT, {"test": Evaluation(kept.lines, read)})
    text = write_report(copy, ENGLISH).read_text("utf-8")
    error = abs(confidence - 0.9)
    assert (
        f"The calibration error is {error:.1%}: a confidence is on average {error * 100:.1f} points" in text
    )
    assert said in text


def test_words_are_explained_and_linked_from_their_first_use(copy: Path) -> None:
    for language, crop, stage in (("en", "crops", "stage"), ("zh", "文本行图像", "训练阶段")):
        text = write_report(copy, Words(language)).read_text("utf-8")
        tree = html.fromstring(text)
        meanings = {entry.get("id"): entry.getnext().text for entry in tree.xpath("//dl[@class='words']/dt")}
        links = [link for link in tree.xpath("//main//a") if link.get("href").startswith("#word-")]
        used = [link.get("href")[1:] for link in links]
        assert len(set(used)) == len(used), "each is linked once"
        assert set(used) >= set(meanings) - {"word-left-out", "word-charset"}
        named = {link.get("href")[1:]: link.text for link in links}
        assert (named["word-crop"], named["word-stage"]) == (crop, stage)
        first = tree.xpath("//main//*[contains(text(), $crop)]", crop=crop)[0]
        assert first.get("href") == "#word-crop" or first.xpath("a[@href='#word-crop']")


def test_only_the_first_use_of_a_whole_word_is_a_link() -> None:
    pieces = Linker(glossary(ENGLISH))
    assert pieces("A microcrop <b> of two crops & a crop") == [
        ("A microcrop <b> of two ", ""),
        ("crops", "crop"),
        (" & a crop", ""),
    ], "the template escapes each piece"
    assert pieces("<crops>") == [("<crops>", "")]


def without(run: Path, *names: str) -> str:
    """Remove figures from the results of a run as if it were older, and return its report."""
    results = json.loads((run / "results.json").read_text("utf-8"))
    for name in names:
        results.pop(name, None)
        for row in results["rows"]:
            row.pop(name, None)
    (run / "results.json").write_text(json.dumps(results), "utf-8")
    return write_report(run, ENGLISH).read_text("utf-8")


def test_a_report_of_an_older_run_says_once_what_was_not_recorded(page: Path, copy: Path) -> None:
    new = page.read_text("utf-8")
    assert "It did not record" not in new
    assert "most memory so far, MB" in new
    old = without(copy, "memory", "general_reading", "software")
    assert old.count("It did not record memory, general reading, software.") == 1
    assert "most memory so far, MB" not in old
    assert "It did not record memory, general reading, software, machine." in without(copy, "machine")


def test_a_report_says_where_the_seconds_went(page: Path, copy: Path) -> None:
    assert (
        "The stages took 406 of the 480 seconds of the run. The other 74 seconds went into the check and "
        "decoding of crops, rendering, trials, and the scores of the models."
    ) in page.read_text("utf-8")
    assert "The stages took" not in without(copy, "seconds")


def test_a_report_says_what_crops_without_labels_gave(page: Path, copy: Path) -> None:
    assert "Crops without labels" not in page.read_text("utf-8")
    results = json.loads((copy / "results.json").read_text("utf-8"))
    gain = Comparison(10, 22, 600).as_dict()
    stage = {"before": "stage head", "crops": 2000, "sure": 1500, "right": 1480.4, "gain": {"test": gain}}
    results["self_training"] = {"stage real": stage}
    (copy / "results.json").write_text(json.dumps(results), "utf-8")
    said = " ".join(write_report(copy, ENGLISH).read_text("utf-8").split())
    assert "without labels: stage real learned from 1500 of 2000, with the readings" in said
    assert "1480 of these labels are right" in said
    assert (
        "It gave +2.0 points on the test crops (95% interval +0.1 to +3.9; McNemar's test, p = 0.050"
        in said.replace("&#39;", "'")
    )
    assert "does not keep this stage" not in said
    results["best"] = "stage head"
    (copy / "results.json").write_text(json.dumps(results), "utf-8")
    said = write_report(copy, ENGLISH).read_text("utf-8")
    assert "does not keep this stage" in said
    assert "The model doubted these crops" not in said
    stage |= {"kept": True, "unlike": True}
    (copy / "results.json").write_text(json.dumps(results), "utf-8")
    said = write_report(copy, ENGLISH).read_text("utf-8")
    assert "does not keep this stage" not in said
    assert "The model doubted these crops more than the validation crops." in said


def test_a_moved_run_says_so_where_pictures_are_missing(run: Path, page: Path, copy: Path) -> None:
    moved = f"The run folder has moved, from {run} to {copy}; the crops may have moved with it."
    assert moved not in write_report(copy, ENGLISH).read_text("utf-8"), "no picture is missing"
    kept = read_evaluations(copy / FOLDER / KEPT)["test"]
    gone = Evaluation([replace(line, image=copy / "gone.png") for line in kept.lines], kept.readings)
    write_evaluations(copy / FOLDER / KEPT, {"test": gone})
    assert moved in write_report(copy, ENGLISH).read_text("utf-8")


def test_labels_that_were_not_checked_come_with_the_command(copy: Path) -> None:
    results = json.loads((copy / "results.json").read_text("utf-8"))
    del results["findings"]
    (copy / "results.json").write_text(json.dumps(results), "utf-8")
    text = write_report(copy, ENGLISH).read_text("utf-8")
    assert "The labels of this run were not checked. This command checks them:" in text
    assert f'<code class="copy">linetune check {copy}/config.yaml</code>' in text


def test_what_strangers_write_is_shown_and_does_nothing(browser: Browser, copy: Path, tmp_path: Path) -> None:
    evil = "</title><script>alert(1)</script>{{ 7 * 7 }}<img src=x onerror=alert(1)>"
    folder = tmp_path / "<b>&\"'"
    copy.parent.rename(folder)
    run = folder / "run"
    kept = {"test": read_evaluations(run / FOLDER / KEPT)["test"]}
    some = kept["test"]
    line = replace(some.lines[0], text=evil, source=f"{evil}:1", image=folder / "crops" / "00.png")
    kept["test"] = Evaluation([line, *some.lines[1:]], [Reading(evil[1:], 0.9), *some.readings[1:]])
    write_evaluations(run / FOLDER / KEPT, kept)
    results = json.loads((run / "results.json").read_text("utf-8"))
    results["rows"][2]["name"] = f"stage {evil}"
    results["findings"][evil] = 1
    (run / "results.json").write_text(json.dumps(results), "utf-8")
    page = write_report(run, ENGLISH)
    with empty_page(browser) as opened:
        opened.page.on("dialog", lambda dialog: opened.errors.append("a dialog"))
        opened.page.goto(page.as_uri())
        assert opened.page.locator("script").count() == 0
        assert opened.page.locator("img[src=x]").count() == 0
        assert opened.page.get_by_text(evil).count() >= 3
        assert opened.errors == []


def test_a_report_says_which_pictures_are_missing(copy: Path) -> None:
    kept = read_evaluations(copy / FOLDER / KEPT)["test"]
    lines = [
        replace(line, image=copy / "gone.png") if number == kept.misread[0] else line
        for number, line in enumerate(kept.lines)
    ]
    write_evaluations(copy / FOLDER / KEPT, {"test": Evaluation(lines, kept.readings)})
    text = write_report(copy, ENGLISH).read_text("utf-8")
    assert "Missing pictures: 1." in text
    assert text.count("The picture is missing.") == 1


def test_a_run_without_readings_still_has_a_report(copy: Path) -> None:
    shutil.rmtree(copy / FOLDER)
    text = write_report(copy, ENGLISH).read_text("utf-8")
    assert "The readings of the models are missing" in text
    assert "The model is better: +" in text
    assert 'id="errors"' not in text


def test_reports_are_small_and_quick(browser: Browser, page: Path, tmp_path: Path) -> None:
    assert page.stat().st_size < 2 * 2**20
    large = make_run(tmp_path / "large", drawn=24, tested=1500, wrong=0.75)
    started = time.process_time()
    text = write_report(large, ENGLISH).read_text("utf-8")
    assert time.process_time() - started < 5
    assert "The first 1000 are shown." in text
    assert len(text) < 15 * 2**20
    with empty_page(browser, viewport={"width": 1000, "height": 800}) as opened:
        opened.page.goto((large / "report.html").as_uri())
        opened.page.evaluate("document.getElementById('confidence').scrollIntoView()")
        assert opened.page.locator("#confidence").is_visible()


def test_a_report_is_there_in_chinese_and_the_same_each_time(run: Path, tmp_path: Path, cli: Cli) -> None:
    pages = [tmp_path / "a.html", tmp_path / "b.html"]
    for path in pages:
        assert cli("report", run, "--lang", "zh", "--output", path).code == 0
    text = pages[0].read_text("utf-8")
    assert text == pages[1].read_text("utf-8")
    assert '<html lang="zh-CN">' in text
    shown = html.fromstring(text).xpath("//main")[0].text_content()
    assert "模型更好：+" in shown
    assert "过拟合" in shown
    pieces = [each.text_content().strip() for each in html.fromstring(text).xpath("//main//p | //main//td")]
    assert [each for each in pieces if re.search(r"[。：；，、]\s", each)] == [], "no space between sentences"
    assert re.findall(r"[一-龥] ?\([^)]*\)", shown) == [], "brackets are as wide as the characters"


def test_a_report_says_how_to_use_the_model(copy: Path) -> None:
    text = write_report(copy, ENGLISH).read_text("utf-8")
    (box,) = html.fromstring(text).xpath("//div[contains(@class, 'verdict')]")
    copied = [code.text for code in box.xpath(".//code[@class='copy']")]
    assert copied[1:] == [f"linetune predict {copy} FOLDER", f"{copy}/model.onnx"]
    assert "Other programs, such as RapidOCR, load this file:" in text
    (copy / "model.onnx").unlink()
    assert "Other programs" not in write_report(copy, ENGLISH).read_text("utf-8")


def test_a_step_has_its_command_below(page: Path, run: Path) -> None:
    tree = html.parse(page).getroot()
    (step,) = tree.xpath("//section[@id='verdict']/ol/li[contains(., 'the last stage overfits')]")
    assert [code.text for code in step.xpath("code")] == [f"linetune learning-curve {run}/config.yaml"]
    assert f"linetune check {run}/config.yaml" in tree.xpath(
        "//section[@aria-labelledby='findings']//code/text()"
    )


def test_steps_of_a_stage_are_found_in_the_plot(page: Path) -> None:
    text = page.read_text("utf-8")
    assert (
        "Stage real overfits after its step 420 (1,620 in the plot)" in html.fromstring(text).text_content()
    )
    rates = re.findall(r"<text[^>]*>(0\.0000\d)</text>", text)
    assert "0.00005" in rates
    assert "5e-05" not in text


def test_a_table_of_confusions_says_how_many_there_are(copy: Path) -> None:
    shown = "The first 15 of 17 are shown."
    assert shown in with_errors(copy, abcdefghijklmnopq="ABCDEFGHIJKLMNOPQ")
    assert (
        "are shown." not in with_errors(copy, abc="ABC").partition('id="confusions"')[2].partition("</p>")[0]
    )


def test_what_is_left_out_and_added_has_names(copy: Path) -> None:
    tree = html.fromstring(with_errors(copy, AB="A", C="CD"))
    table, matrix = tree.xpath("//section[@aria-labelledby='confusions']//table")
    rows = {tuple(cell.text for cell in row.xpath("td")) for row in table.xpath(".//tr[td]")}
    assert rows == {("'B'", "left out", "1"), ("added", "'D'", "1")}
    assert "left out" in [cell.text for cell in matrix.xpath(".//th[@scope='col']")]
    assert "added" in [cell.text for cell in matrix.xpath(".//th[@scope='row']")]


def test_the_confidences_of_each_crop_are_told_apart_by_ear(browser: Browser, page: Path) -> None:
    with empty_page(browser) as opened:
        opened.page.goto(page.as_uri())
        item = opened.page.locator(".gallery li").first
        label = item.locator("img").get_attribute("alt")
        assert label
        name = f"Confidence of each character: {label.removeprefix('Crop with the label ')}"
        assert item.locator("summary").get_attribute("aria-label") == name


def test_a_report_says_whether_a_loss_of_general_reading_is_chance(page: Path, copy: Path) -> None:
    assert "There is no loss beyond chance." in page.read_text("utf-8")
    results = json.loads((copy / "results.json").read_text("utf-8"))
    results["general_reading"]["comparison"] |= {"only_a": 9, "only_b": 0}
    (copy / "results.json").write_text(json.dumps(results), "utf-8")
    assert "The loss is beyond chance." in write_report(copy, ENGLISH).read_text("utf-8")


def test_mistakes_get_one_line(run: Path, tmp_path: Path, cli: Cli) -> None:
    damaged = tmp_path / "damaged"
    shutil.copytree(run, damaged)
    (damaged / "results.json").write_text('{"rows": [], "gain": 1}', "utf-8")
    for arguments, what in (
        (("report", tmp_path), "the folder has no complete run"),
        (("report", damaged), "damaged results; train the run again"),
        (("report", run, "--lang", "fr"), "no pages in 'fr'; choose one of en, zh"),
        (("review", "gone.txt", "--lang", "fr"), "no pages in 'fr'; choose one of en, zh"),
        (("next", run, "gone", "--lang", "fr"), "no pages in 'fr'; choose one of en, zh"),
        (("report", run, "--output", tmp_path / "no" / "page.html"), "cannot write the report"),
    ):
        done = cli(*arguments)
        assert done.code == 2
        assert len(done.errors) == 1
        assert what in done.errors[0]


def sentences() -> Iterator[str]:
    """All that pages say: the first argument of each ``say``, in modules, templates and scripts."""
    for path in sorted(SOURCE.rglob("*.py")):
        text = path.read_text("utf-8")
        for node in ast.walk(ast.parse(text)) if "say(" in text else ():
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "say":
                if ast.unparse(node.args[0]) == "KINDS[kind]":
                    continue
                assert isinstance(node.args[0], ast.Constant), f"{path.name}:{node.lineno} says a variable"
                yield str(node.args[0].value)
    for path in (SOURCE / "report" / "templates").iterdir():
        if path.suffix in (".html", ".js"):
            yield from re.findall(r'say\("((?:[^"\\]|\\.)*)"', path.read_text("utf-8"))
    yield from KINDS.values()


def test_every_sentence_is_there_in_chinese() -> None:
    said, known = set(sentences()), catalogue("zh")
    pairs = json.loads((SOURCE / "report/templates/zh.json").read_text("utf-8"), object_pairs_hook=list)
    assert len(pairs) == len(known), "a sentence has two translations"
    assert len(said) > 150
    assert said == set(known), "a sentence without a translation, or a translation of no sentence"
    for english, chinese in known.items():
        places = [{name for _, name, _, _ in Formatter().parse(text) if name} for text in (english, chinese)]
        assert places[0] == places[1], english


def test_a_check_shows_the_crops_of_its_findings(run: Path, tmp_path: Path, cli: Cli) -> None:
    labels = tmp_path / "train.txt"
    crop = (run.parent / "crops" / "00.png").as_posix()
    labels.write_text(f"{crop}\tLOT 1\n{crop}\tLOT 2\ngone.png\t<b>\n", encoding="utf-8")
    page = tmp_path / "check.html"
    done = cli("check", labels, "--html", page)
    assert done.code == 1
    assert done.out.splitlines()[-1] == f"wrote {page}"
    tree = html.parse(page).getroot()
    headings = [heading.text for heading in tree.xpath("//h2")]
    assert "Equal images with different labels" in headings
    assert "Images that do not exist" in headings
    conflict = tree.xpath("//h2[text()='Equal images with different labels']/following::table[1]")[0]
    assert len(conflict.xpath(".//img")) == 2, "both lines of the pair"
    shown = decoded(conflict.xpath(".//img/@src")[0])
    assert np.abs(shown.astype(int) - image.resize(image.read(Path(crop)))).mean() < 8
    assert "&lt;b&gt;" in page.read_text("utf-8")
    assert cli("check", labels, "--html", page).code == 2


def english_in(page: Path) -> set[str]:
    """The English words that people see on a Chinese page. Code, and names in it, are not English."""
    tree = html.parse(page).getroot()
    assert tree.get("lang") == "zh-CN"
    for each in tree.xpath("//style | //code"):
        each.drop_tree()
    seen = [tree.text_content(), *tree.xpath("//@aria-label | //@title | //@placeholder")]
    return set(re.findall(r"[A-Za-z]{3,}", " ".join(seen))) - {"CER", "linetune", "McNemar"}


def test_the_pages_of_other_commands_are_there_in_chinese(run: Path, tmp_path: Path) -> None:
    say, path = Words("zh"), tmp_path / "page.html"
    lines = [Line(run.parent / "crops" / f"{number:02}.png", "8", f"{number}") for number in range(4)]
    crops = [image.read(line.image) for line in lines]
    read = [Evaluation(lines, [Reading(text, 0.9) for text in texts]) for texts in ("8BB8", "8888", "BBB8")]
    write_comparison(path, ["1", "2", "3"], read, crops, say)
    assert english_in(path) == set()
    write_misread(path, "1", read[0], crops, say)
    assert english_in(path) == set()
    suspects, _ = write_suspects(tmp_path, Suspects([Suspect(lines[0], "B", 9.0, 0.1)], 9, 8, 0, 1), 1, say)
    assert english_in(suspects) == set()
    assert "9 条标注中有 1 条可能标错；1 条未作判断" in suspects.read_text("utf-8")
    sizes = {50: 0.5, 200: 0.7, 800: 0.82}
    points = [Point(size, "", Score(right, right - 1, 100), None, 3.0) for size, right in sizes.items()]
    curve = write_curve_page(Curve(tmp_path, points), say)
    assert english_in(curve) == set()
    assert "再增加 100 张图像，整行准确率约为" in curve.read_text("utf-8")
    assert write_picture(Curve(tmp_path, points), say).read_text("utf-8").count(">训练图像数<") == 1


@pytest.mark.parametrize(
    ("system", "options", "heading"),
    [
        ("zh_CN:en", (), "图像相同而标注不同"),
        ("zh_CN:en", ("--lang", "en"), "Equal images with different labels"),
        ("en", ("--lang", "zh"), "图像相同而标注不同"),
        ("de", (), "Equal images with different labels"),
    ],
)
def test_pages_have_the_language_of_the_system_or_of_the_option(
    run: Path,
    tmp_path: Path,
    cli: Cli,
    monkeypatch: pytest.MonkeyPatch,
    system: str,
    options: tuple[str, ...],
    heading: str,
) -> None:
    monkeypatch.setenv("LANGUAGE", system)
    crop, labels = (run.parent / "crops" / "00.png").as_posix(), tmp_path / "labels.txt"
    labels.write_text(f"{crop}\tLOT 1\n{crop}\tLOT 2\n", encoding="utf-8")
    done = cli("check", labels, "--html", tmp_path / "check.html", *options)
    assert heading in html.parse(tmp_path / "check.html").getroot().xpath("//h2/text()")
    assert "equal images with different labels: 1 (conflict)" in done.out, "the terminal is English"


def test_a_preview_can_be_a_page_with_real_crops_beside(run: Path, tmp_path: Path, cli: Cli) -> None:
    page = tmp_path / "preview.html"
    config = run.parent / "linetune.yaml"
    looks = f"synth.looks=[{run.parent / 'train.txt'}]"
    done = cli("synth", config, looks, "synth.count=6", "--preview", page, "--lang", "zh")
    assert (done.code, done.out) == (0, f"wrote {page}\n")
    tree = html.parse(page).getroot()
    rows = tree.xpath("//table//tr[td]")
    assert [len(row.xpath(".//img")) for row in rows] == [2] * 6
    assert [cell.text_content() for cell in tree.xpath("//th")] == [
        "真实样本",
        "合成样本",
        "合成样本的文本",
    ]


def test_a_learning_curve_has_a_page_with_its_picture(browser: Browser, tmp_path: Path) -> None:
    sizes = {50: 0.6, 200: 0.75, 800: 0.85}
    points = [
        Point(crops, "stage real", Score(exact, exact - 1, 100), None, 3.0) for crops, exact in sizes.items()
    ]
    page = write_curve_page(Curve(tmp_path, points), ENGLISH)
    with empty_page(browser, color_scheme="dark") as opened:
        opened.page.goto(page.as_uri())
        assert opened.page.get_by_text("training crops").first.is_visible()
        assert opened.page.locator("svg").is_visible()
        colour = opened.page.locator("svg text").first.evaluate("node => getComputedStyle(node).fill")
        assert colour == "rgb(255, 255, 255)"
        assert opened.errors == []


def test_a_page_of_suspects_keeps_labels_and_crops_whole(browser: Browser, tmp_path: Path) -> None:
    crop = tmp_path / "a_photo_with_a_long_name_from_2024_11_crop_0001.png"
    image.write(crop, np.full((48, 200, 3), 200, np.uint8))
    suspect = Suspect(Line(crop, "SN 2024-11-0387 B", "labels/train.txt:17"), "SN 2024-11-0887 B", 9.0, 0.1)
    page, _ = write_suspects(tmp_path, Suspects([suspect], 100, 99, 0), 10, ENGLISH)
    with empty_page(browser, viewport={"width": 1280, "height": 800}) as opened:
        opened.page.goto(page.as_uri())
        for text in opened.page.locator("td code:not(.copy)").all():
            box = text.bounding_box()
            assert box is not None
            assert box["height"] < 40, "a label is on one line"
        assert opened.page.locator("td img").evaluate("node => node.clientWidth") == 200
        assert opened.page.locator(".scroll").evaluate("node => node.scrollWidth <= node.clientWidth")


def test_a_figure_shows_a_stage_of_one_step_and_names_of_any_kind() -> None:
    name = "<b> $x$ 阶段"
    stage = StageHistory(name, [(3, 1.0, 1e-4)], [Validated(3, 1.0, 0.9, 0.8)])
    svg = curves([stage], ENGLISH)
    root = ElementTree.fromstring(svg)
    texts = [node.text for node in root.iter() if node.tag.endswith("}text")]
    assert name in texts
    assert "loss" in texts
    dots = [
        node for node in root.iter() if node.tag.endswith("}use") and "fill: var(" in node.get("style", "")
    ]
    assert len(dots) >= 3, "loss, exact match and learning rate"
    clipped = [use for node in root.iter() if node.get("clip-path") for use in node.iter() if use in dots]
    assert not clipped, "a dot at the last step is whole"
    assert "2.5" not in texts, "there is no half step"
    assert name in root.get("aria-label", "")


def test_a_figure_marks_the_kept_validation_of_each_stage(page: Path) -> None:
    def drawn(kept: int) -> tuple[set[str | None], int]:
        """The texts and the number of diamonds of a figure. So many stages kept a validation."""
        stages = [
            StageHistory(
                str(number),
                [(10, 1.0, 1e-4), (20, 0.5, 1e-4)],
                [Validated(10, 1.0, 0.9, 0.8, number < kept), Validated(20, 1.0, 0.95, 0.7)],
            )
            for number in range(2)
        ]
        root = ElementTree.fromstring(curves(stages, ENGLISH))
        # Ticks of the axes are markers too. Only diamonds are in the colours of a line.
        marks = [
            node for node in root.iter() if node.tag.endswith("}use") and "fill" in node.get("style", "")
        ]
        accent = [node for node in marks if "stroke: var(--accent)" in node.get("style", "")]
        return {node.text for node in root.iter() if node.tag.endswith("}text")}, len(accent)

    texts, diamonds = drawn(2)
    assert "kept validation" in texts
    assert diamonds == 2 * 2 + 1, "on both curves of both stages, and in the legend"
    texts, diamonds = drawn(0)
    assert "kept validation" not in texts
    assert diamonds == 0
    assert "Diamonds mark the kept validations." in page.read_text("utf-8")


def test_a_comparison_of_runs_needs_no_label_files(run: Path) -> None:
    models, labels = told_apart([str(run), "PP-OCRv6_small_rec", "other.onnx", str(run)])
    assert models == {"A": str(run), "B": "PP-OCRv6_small_rec", "C": "other.onnx", "D": str(run)}
    assert [path.name for path in labels] == ["test.txt"]
    models, labels = told_apart([str(run), "PP-OCRv6_small_rec", str(run.parent / "val.txt")])
    assert (list(models), labels) == (["A", "B"], [run.parent / "val.txt"])


def test_all_pages_have_a_way_past_the_contents() -> None:
    text = rendered("page.html", ENGLISH, title="T", intro="", parts=[])
    assert '<a class="skip" href="#content">' in text
    assert 'id="content"' in text
