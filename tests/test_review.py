"""Labels settled on a page: what was keyed is on the disk, and nobody else can key."""

from __future__ import annotations

import http.client
import json
import re
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import numpy as np
import pytest
import uvicorn
from browser import Watched, empty_page
from conftest import Cli
from test_by_rule import of_all_texts

from linetune.core import image, labelfile
from linetune.core.charset import Charset
from linetune.core.errors import LinetuneError
from linetune.core.progress import Silent
from linetune.decode.by_rule import LEAST, ByRule
from linetune.decode.calibrated import Judged
from linetune.decode.next_best import next_best
from linetune.decode.reading import Greedy
from linetune.formats.official import load_base
from linetune.formats.onnx_file import export
from linetune.formats.transfer import with_charset
from linetune.recogniser import Recogniser
from linetune.report.words import Words
from linetune.review.guesses import Guess, Guesser, read_items
from linetune.review.items import Item, Shard, listed, load_items
from linetune.review.journal import Decision, Journal, read_journal
from linetune.review.server import create_app, listen
from linetune.review.session import Session
from linetune.rules.automaton import of_pattern

if TYPE_CHECKING:
    from playwright.sync_api import Browser

TEXTS = ["LOT 4711", "LOT 4712", "BATCH 12", "BATCH 13", "SERIAL 88", "SERIAL 89"]


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    limited = with_charset(load_base("PP-OCRv5_mobile_rec"), Charset.collect([*TEXTS, "0123456789 O"]))
    return export(limited.model, tmp_path_factory.mktemp("model") / "model.onnx").path


@dataclass
class Served:
    """A review that runs in a process of its own."""

    process: subprocess.Popen[str]
    address: str

    @property
    def host(self) -> str:
        return urlsplit(self.address).netloc

    def ask(self, path: str, body: object = None, **headers: str) -> tuple[int, dict[str, str], bytes]:
        """Status, headers and content of an answer. Headers replace those of the page, or remove them."""
        host, token = self.host, self.address.rpartition("=")[2]
        own = {"Host": host, "Cookie": f"linetune-review-{host.rpartition(':')[2]}={token}"}
        if body is not None:
            own |= {"Content-Type": "application/json", "Origin": f"http://{host}"}
        sent = {k: v for k, v in (own | {k.replace("_", "-"): v for k, v in headers.items()}).items() if v}
        content = None if body is None else json.dumps(body)
        with closing(http.client.HTTPConnection(host, timeout=30)) as connection:
            connection.request("GET" if content is None else "POST", path, content, sent)
            answer = connection.getresponse()
            return answer.status, dict(answer.getheaders()), answer.read()

    def json(self, path: str, body: object = None) -> Any:
        status, _, content = self.ask(path, body)
        assert status == 200, content
        return json.loads(content)

    def end(self) -> str:
        """End it with Ctrl-C. Return what it prints."""
        self.process.send_signal(signal.SIGINT)
        out, err = self.process.communicate(timeout=30)
        assert self.process.returncode == 0, err
        return out


@contextmanager
def served(*arguments: object) -> Iterator[Served]:
    command = [sys.executable, "-m", "linetune", "review", *map(str, arguments), "--no-browser"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    try:
        assert process.stdout
        address = process.stdout.readline().partition(" ")[0]
        assert address.startswith("http://127.0.0.1:"), process.communicate(timeout=30)[1]
        yield Served(process, address)
    finally:
        process.kill()
        process.communicate()


def written(labels: Path) -> dict[str, str]:
    """File name and text of each crop in the label file that a review has written."""
    lines = labelfile.read_labels(labels.with_name(f"{labels.stem}.review") / "labels.txt")
    assert all(line.image.is_file() for line in lines)
    return {line.image.name: line.text for line in lines}


def journal_of(labels: Path) -> Path:
    return labels.with_name(f"{labels.stem}.review") / "journal.jsonl"


@pytest.fixture
def labels(tmp_path: Path, make_crops: Callable[[Path, Sequence[str]], Path]) -> Path:
    """Six crops. The labels of the first and the third are wrong."""
    path = make_crops(tmp_path, TEXTS)
    wrong = path.read_text("utf-8").replace("LOT 4711", "LOT 1711").replace("BATCH 12", "BATCH 2")
    path.write_text(wrong, "utf-8")
    return path


def test_the_most_probable_texts_come_first() -> None:
    charset, rule = Charset(("A", "B")), of_pattern("B[AB]")
    crops = np.random.default_rng(0).dirichlet([0.5] * 3, (20, 6)).astype(np.float32)
    free = next_best(crops, charset, Greedy(charset), 3)
    ruled = next_best(crops, charset, Judged(ByRule(charset, rule), 0.5), 3)
    for frames, found, admitted in zip(crops, free, ruled, strict=True):
        masses = of_all_texts(frames, charset)
        ranked = [text for text in sorted(masses, key=lambda text: -masses[text]) if text]
        assert found == ranked[: len(found)]
        follows = [text for text in ranked if rule.admits(text)]
        if sum(masses[text] for text in follows) >= LEAST:
            assert admitted[:2] == follows[:2], "texts that the rule admits come first"
        assert set(found) & set(admitted)
    assert next_best(np.array([[[0.0, 1, 0]]], np.float32), charset, Greedy(charset)) == [["A"]]


def test_a_journal_keeps_what_was_decided_before_a_crash(tmp_path: Path) -> None:
    path = tmp_path / "journal.jsonl"
    one, two = ("1.png", "A"), ("名前 #?%.png", "")
    with Journal(path) as journal:
        journal.decide(one, Decision("B"))
        journal.decide(two, Decision(None))
        journal.decide(one, Decision("C", turned=True))
        assert journal.undo() == one
    with path.open("ab") as file:
        file.write(b'{"path": "1.png", "label": "A", "te')
    assert read_journal(path).decisions == {one: Decision("B"), two: Decision(None)}
    with Journal(path) as journal:
        assert journal.undo() == two
        assert journal.undo() == one
        assert journal.undo() is None
    assert read_journal(path).decisions == {}
    path.write_text('{"path": 1}\n')
    with pytest.raises(LinetuneError, match="not an entry"):
        read_journal(path)


def test_a_shard_is_decided_by_the_path_alone() -> None:
    items = [Item(f"{i}.png", str(i), Path(f"{i}.png")) for i in range(200)]
    parts = [Shard(number, 2).select(items) for number in (1, 2)]
    assert sorted((*parts[0], *parts[1]), key=items.index) == items
    assert min(map(len, parts)) > 70
    assert {item.path for item in Shard(1, 2).select(items[::-1])} == {item.path for item in parts[0]}
    with pytest.raises(LinetuneError, match="not a part"):
        Shard.parse("3/2")


def test_a_list_chooses_what_is_shown_and_the_labels_of_the_others_stay(
    tmp_path: Path, labels: Path, cli: Cli
) -> None:
    (tmp_path / "suspects").mkdir()
    rows = [f"../{number:02}.png\tA\tB\t9.9\tlabels.txt:1\n" for number in (4, 1)]
    (tmp_path / "suspects/list.txt").write_text("".join(rows))
    journal_of(labels).parent.mkdir()
    items = load_items(labels, tmp_path, Silent()).all
    assert [item.path for item in listed(tmp_path / "suspects/list.txt", items)] == ["01.png", "04.png"]
    with Journal(journal_of(labels)) as journal:
        journal.decide(items[1].key, Decision("NEW 1"))
    only = ("--only", tmp_path / "suspects/list.txt")
    assert cli("review", labels, *only, "--write").code == 0
    written = labelfile.read_labels(journal_of(labels).with_name("labels.txt"))
    assert [line.text for line in written] == [items[0].label, "NEW 1", *(item.label for item in items[2:])]


def test_the_start_of_a_review_shows_how_many_crops_are_read(
    model: Path, tmp_path: Path, make_crops: Callable[..., Path]
) -> None:
    lines = labelfile.read_labels(make_crops(tmp_path / "crops", [f"LOT {n}" for n in range(40)]))
    items = [Item(line.image.name, line.text, line.image) for line in lines]
    shown: list[int] = []

    class Counts(Silent):
        def progress(self, task: str, done: int, total: int, detail: str = "") -> None:
            assert (task, total) == ("reading", 40)
            shown.append(done)

    guesser = Guesser(lambda: Recogniser.load(model), "model")
    read_items(items, guesser, tmp_path, Counts())
    assert shown[0] == 0
    assert shown[-1] == 40
    assert len({*shown}) > 2, "it moves within the crops that are read together"
    shown.clear()
    read_items(items, guesser, tmp_path, Counts())
    assert (shown[0], shown[-1]) == (0, 40), "nothing is read again"


def test_keys_settle_labels(browser: Browser, labels: Path, model: Path) -> None:
    original = labels.read_bytes()
    with served(labels, "--model", model) as review, empty_page(browser) as watched:
        page, keys = watched.page, watched.page.keyboard
        page.goto(review.address)
        on(watched, 0)
        first = page.inner_text("#path")
        assert page.inner_text("#choices li:first-child .text") in ("LOT 4711", "BATCH 12")
        keys.press("1")
        on(watched, 1)
        keys.press("Tab")
        keys.type("77 BOXES")
        page.reload()
        on(watched, 1)
        assert page.input_value("#field") == "77 BOXES", "what is typed stays"
        keys.press("Enter")
        on(watched, 2)
        keys.press("Delete")
        on(watched, 3)
        keys.press("Control+ArrowUp")
        page.wait_for_selector("body[data-shown='3 true']")
        keys.press("Enter")
        on(watched, 4)
        keys.type("xyz")
        assert page.input_value("#field") == "xyz"
        keys.press("Escape")
        keys.press("Enter")
        on(watched, 5)
        keys.press("Control+z")
        on(watched, 4)
        assert page.inner_text("#speed").startswith("4 of 6 settled")
        keys.press("ArrowDown")
        on(watched, 5)
        keys.press("ArrowUp")
        on(watched, 4)
        keys.type("New")
        keys.press("Enter")
        on(watched, 5)
        assert not watched.errors
        assert {urlsplit(request).netloc for request in watched.requests} == {review.host}
        out = review.end()
        keys.type("still here")
        keys.press("Enter")
        page.wait_for_selector("#message:has-text('does not answer')")
        assert page.input_value("#field") == "still here"
    assert f"labels   {labels.with_name('labels.review') / 'labels.txt'}" in out
    assert "settled: 5 of 6, new or corrected: 3, unusable: 1, turned: 1" in out
    assert labels.read_bytes() == original
    result = written(labels)
    assert len(result) == 5, "one is unusable"
    assert result[first] in ("LOT 4711", "BATCH 12")
    assert {"77 BOXES", "New"} <= set(result.values())
    (turned,) = (
        line
        for line in labelfile.read_labels(journal_of(labels).with_name("labels.txt"))
        if "turned" in str(line.image)
    )
    whole = image.read(labels.parent / (turned.image.name[:2] + ".png"))
    assert (image.read(turned.image) == whole[::-1, ::-1]).all()
    assert len((journal_of(labels).with_name("unusable.txt")).read_text("utf-8").splitlines()) == 1


def on(watched: Watched, index: int) -> None:
    """Wait until the page shows a crop."""
    watched.page.wait_for_selector(f"body[data-shown^='{index} ']", timeout=10_000)


STRIKE = """keys => {
    const field = document.getElementById("field");
    for (const key of keys) {
        const event = new KeyboardEvent("keydown", {key, bubbles: true, cancelable: true});
        const usual = document.activeElement.dispatchEvent(event);
        if (!usual || key.length > 1) continue;
        field.setRangeText(key, field.selectionStart, field.selectionEnd, "end");
    }
}"""
"""Presses keys within one turn of the browser, and does what the browser does with them."""


def test_fast_keys_are_neither_lost_nor_taken_for_the_next_crop(
    browser: Browser, labels: Path, model: Path
) -> None:
    with served(labels, "--model", model) as review, empty_page(browser) as watched:
        page, keys = watched.page, watched.page.keyboard
        page.goto(review.address)
        on(watched, 0)
        # A number without Tab: its first digit is a choice, and the rest is not for the next crop.
        page.evaluate(STRIKE, ["1", "7", "F", "0", "Enter"])
        page.wait_for_selector("#message:has-text('Ctrl+Z undoes that')")
        keys.press("Control+z")
        on(watched, 0)
        page.wait_for_timeout(500)
        keys.press("Tab")
        keys.type("17F0 ")
        keys.press("Enter")
        on(watched, 1)
        # All at once, before the first decision is on the disk.
        page.evaluate(STRIKE, ["A", "b", "1", "Enter", "C", "9", "Enter", "Enter"])
        on(watched, 4)
        texts = [json.loads(line).get("text") for line in journal_of(labels).read_text().splitlines()]
        assert texts[1:5] == [None, "17F0", "Ab1", "C9"], "a choice, its undo, and what is typed"
        assert len(texts) == 6


def test_a_killed_review_loses_no_decision_and_continues(labels: Path, model: Path) -> None:
    with served(labels, "--model", model) as review:
        for index, text in enumerate(["A", "B", None]):
            answer = review.json("/decide", {"index": index, "text": text, "turned": False})
        assert answer["next"] == 3
        assert answer["progress"]["settled"] == 3
        review.process.kill()
        review.process.wait()
    with journal_of(labels).open("ab") as file:
        file.write(b'{"path": "00.p')
    readings = (journal_of(labels).with_name("readings.json")).stat().st_mtime_ns
    with served(labels, "--model", model) as review:
        start = review.json("/start")
        assert start == {
            "index": 3,
            "progress": {"settled": 3, "total": 6, "a_minute": None, "seconds_left": None},
        }
        assert [review.json(f"/item/{i}")["decision"] for i in range(4)] == [
            {"text": "A"},
            {"text": "B"},
            {"text": None},
            None,
        ]
        assert review.json("/undo", {})["index"] == 2
        review.end()
    assert len(written(labels)) == 6
    assert (journal_of(labels).with_name("readings.json")).stat().st_mtime_ns == readings, (
        "nothing is read again"
    )


def test_only_the_page_of_this_machine_is_answered(labels: Path, model: Path) -> None:
    with served(labels, "--model", model) as review:
        body = {"index": 0, "text": "EVIL", "turned": False}
        port = review.host.rpartition(":")[2]
        for refused in (
            {"Host": f"evil.example:{port}"},
            {"Host": f"localhost:{port}"},
            {"Host": "127.0.0.1"},
            {"Origin": "http://evil.example"},
            {"Origin": "null"},
            {"Cookie": ""},
            {"Cookie": f"linetune-review-{port}=wrong"},
            {"Cookie": f"linetune-review-{port}=ä"},
        ):
            assert review.ask("/decide", body, **refused)[0] == 403
            for path in ("/", "/review.js", "/start", "/item/0", "/image/0"):
                assert review.ask(path, **refused)[0] == 403, (path, refused)
        assert review.ask("/?token=wrong", Cookie="")[0] == 403
        assert review.ask("/decide", body, Content_Type="text/plain")[0] == 400
        odd: list[object] = [{}, {"index": 0}, {"index": "0", "text": "A"}, {"index": 0, "text": 1}, [], 5]
        assert {review.ask("/decide", each)[0] for each in odd} == {400}
        for text in ("", " ", "a\tb", "a\nb", "\ud800", "x" * 100_000):
            assert review.ask("/decide", {"index": 0, "text": text, "turned": False})[0] == 400
        assert review.ask("/decide", {"index": 6, "text": "A", "turned": False})[0] == 404
        for path in (
            "/image/6",
            "/image/-1",
            "/image/../labels.txt",
            "/image/%2e%2e%2flabels.txt",
            "/labels.txt",
        ):
            assert review.ask(path)[0] == 404
        assert journal_of(labels).read_bytes() == b""
        status, headers, _ = review.ask("/" + review.address.rpartition("/")[2], Cookie="")
        assert status == 200
        cookie = headers["set-cookie"]
        assert "HttpOnly" in cookie
        assert "SameSite=strict" in cookie
        assert "script-src 'self';" in headers["content-security-policy"]
        status, headers, content = review.ask("/image/0")
        assert (headers["content-type"], content[:4]) == ("image/png", b"\x89PNG")


def test_a_port_in_use_is_one_line(labels: Path, cli: Cli) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        result = cli("review", labels, "--model", "x", "--port", taken.getsockname()[1], "--no-browser")
    assert result.code == 2
    assert "cannot be opened" in result.errors[0]
    assert "--port" in result.errors[0]


def test_a_second_review_of_the_same_labels_is_refused(labels: Path, model: Path, cli: Cli) -> None:
    with served(labels, "--model", model):
        result = cli("review", labels, "--model", model, "--no-browser")
        assert result.code == 2
        assert "another linetune is writing to this folder" in result.errors[0]


SEEN = """() => {
    document.getElementById("help").showModal();
    const labels = [...document.querySelectorAll("[aria-label]")].map(node => node.ariaLabel);
    const texts = document.body.innerText;
    document.getElementById("help").close();
    return [document.title, texts, ...labels].join(" ");
}"""
"""What people see and hear of the page and its help."""


class Knows(Guesser):
    """Reads the same on each crop, without a model."""

    def guess(self, crops: Sequence[object], *others: object) -> list[Guess]:
        return [Guess("LOT 1", 0.9, ("LOT 2",))] * len(crops)


@contextmanager
def served_here(session: Session, say: Words) -> Iterator[tuple[str, Callable[[], None]]]:
    """A review in a thread, which starts at once: its address, and what ends it."""
    with listen(0) as opened:
        host = f"127.0.0.1:{opened.getsockname()[1]}"
        app = create_app(session, say("Review of {name}", name="labels.txt"), say, host, "token")
        server = uvicorn.Server(uvicorn.Config(app, log_level="error", lifespan="off"))
        thread = threading.Thread(target=server.run, args=([opened],), daemon=True)

        def end() -> None:
            server.should_exit = server.force_exit = True
            thread.join(10)

        opened.listen()
        thread.start()
        try:
            yield f"http://{host}/?token=token", end
        finally:
            end()


def test_a_review_is_there_in_chinese(browser: Browser, labels: Path, tmp_path: Path) -> None:
    items = [Item(line.image.name, line.text, line.image) for line in labelfile.read_labels(labels)[:3]]
    guesser, say = Knows(lambda: Recogniser.load("none"), ""), Words("zh")
    with Journal(tmp_path / "journal.jsonl") as journal, empty_page(browser) as watched:
        session = Session(items, guesser.guess(items), journal, guesser, say)
        page, keys, said = watched.page, watched.page.keyboard, list[str]()

        def press(key: str, index: int, message: str) -> None:
            keys.press(key)
            page.wait_for_selector(f"#message:has-text('{message}')", timeout=10_000)
            on(watched, index)
            said.append(page.evaluate(SEEN))

        with served_here(session, say) as (address, end):
            page.goto(address.replace("token=token", "token=old"))
            assert page.inner_text("body").strip() == "已拒绝：请打开 linetune review 在终端显示的地址"
            page.goto(address)
            on(watched, 0)
            assert page.get_attribute("html", "lang") == "zh-CN"
            assert page.title() == "标注复核：labels.txt"
            press("Control+z", 0, "没有可以撤销的决定。")
            press("9", 0, "要输入以数字开头的文本，请先按 Tab。")
            press("Control+ArrowUp", 0, "图像已旋转。")
            keys.press("Delete")
            on(watched, 1)
            press("ArrowUp", 0, "已标为不可用。")
            press("Control+z", 0, "已撤销上一个决定。")
            keys.press("Tab")
            keys.press("Backspace")
            press("Enter", 0, "没有文本。")
            page.fill("#field", "A\tB")
            press("Enter", 0, "操作没有完成：标注只能是一行文本，不能含制表符")
            keys.press("Escape")
            for index in (1, 2):
                keys.press("Enter")
                on(watched, index)
            press("Enter", 2, "全部图像都已复核。")
            assert "已复核 3 张，共 3 张" in said[-1]
            end()
            keys.type("x")
            press("Enter", 2, "linetune review 没有响应。")
    # Keys begin with a capital, and readings have no others.
    words = set(re.findall(r"\b[a-z]{2,}\b", " ".join(said)))
    assert words == {"labels", "txt", "png", "linetune", "review"}, "English is left"


ODD = {
    'it\'s "q" #1?&%41.png': "<script>document.title='x'</script>",
    "名前.png": "שלום 12",
    "a+b=c;d.png": "",
    "<img src=x>.png": "9" * 400,
}


def test_odd_names_and_labels_are_shown_as_they_are(
    browser: Browser, tmp_path: Path, model: Path, make_crops: Callable[..., Path]
) -> None:
    labels = make_crops(tmp_path / "q", TEXTS[: len(ODD)])
    for number, name in enumerate(ODD):
        (labels.parent / f"{number:02}.png").rename(labels.parent / name)
    (labels.parent / "broken.png").write_bytes(b"no image")
    rows = [*ODD.items(), ("broken.png", "B"), ("gone.png", "G")]
    labelfile.write_labels(labels, rows)
    with served(labels, "--model", model) as review, empty_page(browser) as watched:
        page = watched.page
        page.goto(review.address)
        texts = {}
        for index in range(len(rows)):
            on(watched, index)
            name = page.inner_text("#path")
            texts[name] = page.inner_text("#label") or page.text_content("#shown")
            if name in ODD:
                assert page.evaluate("document.querySelector('#crop img').naturalWidth") > 0
            else:
                assert "cannot be read" in page.inner_text("#crop")
            page.keyboard.press("Delete" if name == "broken.png" else "Enter")
        page.wait_for_selector("#message:has-text('All crops are settled')")
        assert page.title() == "Review of labels.txt"
        assert not watched.errors
        review.end()
    expected = dict(rows) | {"a+b=c;d.png": TEXTS[2]}
    assert texts == expected
    lines = labelfile.read_labels(journal_of(labels).with_name("labels.txt"))
    del expected["broken.png"]
    assert {line.image.name: line.text for line in lines} == expected


def test_crops_of_a_folder_are_labelled_from_the_readings(
    browser: Browser, labels: Path, model: Path
) -> None:
    labels.unlink()
    with served("--unlabelled", labels.parent, "--model", model) as review, empty_page(browser) as watched:
        watched.page.goto(review.address)
        for index in range(len(TEXTS)):
            on(watched, index)
            watched.page.keyboard.press("Enter")
        watched.page.wait_for_selector("#bar[value='6']")
        review.end()
    folder = labels.parent.with_name(f"{labels.parent.name}.review")
    lines = labelfile.read_labels(folder / "labels.txt")
    assert [line.text for line in lines] == TEXTS
    assert all(line.image.is_file() for line in lines)


def test_boxes_are_shown_in_their_photos(
    tmp_path: Path, model: Path, make_crops: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LANGUAGE", "zh_CN:en")
    crop = image.read(make_crops(tmp_path / "crops", ["LOT 4711"]).with_name("00.png"))
    height, width = crop.shape[:2]
    photo = np.full((400, 600, 3), 120, np.uint8)
    photo[100 : 100 + height, 50 : 50 + width] = crop
    project = tmp_path / "project"
    project.mkdir()
    image.write(project / "photo 1.jpg", photo)
    corners = [[50, 100], [50 + width, 100], [50 + width, 100 + height], [50, 100 + height]]
    boxes = [{"transcription": text, "points": corners} for text in ("LOT 1711", "待识别", "无法识别")]
    (project / "Label.txt").write_text(f"project/photo 1.jpg\t{json.dumps(boxes)}\n", "utf-8")
    with served(project, "--model", model) as review:
        assert "<title>标注复核：Label.txt</title>" in review.ask("/")[2].decode(), "as the system"
        item = review.json("/item/0")
        assert (item["kind"], item["choices"][0], item["photo"]) == ("differs", "LOT 4711", True)
        shown = image.decode(np.frombuffer(review.ask("/photo/0")[2], np.uint8), "photo")
        assert shown.shape[1] > width
        assert (shown[..., 0] > shown[..., 2].astype(int) + 80).any(), "a blue box is drawn"
        review.json("/decide", {"index": 0, "text": "LOT 4711", "turned": False})
        item = review.json("/item/1")
        assert (item["kind"], item["shown"]) == ("unlabelled", "LOT 4711"), "nobody has labelled this box yet"
        assert review.json("/start")["progress"]["total"] == 2, "one box could not be read"
        review.end()
    (line,) = labelfile.read_labels(project / "Label.review" / "labels.txt")
    assert line.text == "LOT 4711"
    assert image.read(line.image).shape == crop.shape


def entry(path: str, label: str, **said: object) -> str:
    return json.dumps({"path": path, "label": label, **said}) + "\n"


def test_parts_of_two_people_become_one(labels: Path, tmp_path: Path, cli: Cli) -> None:
    one, two = tmp_path / "one.jsonl", tmp_path / "two.jsonl"
    one.write_text(entry("00.png", "LOT 1711", text="LOT 4711") + entry("01.png", "LOT 4712", text="X"))
    two.write_text(entry("01.png", "LOT 4712", text="Y") + entry("05.png", "SERIAL 89", unusable=True))
    result = cli("review", labels, "--merge", one, two)
    assert result.code == 0
    assert f"not settled, because the journals disagree: 01.png: 'X' in {one}; 'Y' in {two}" in result.out
    assert "settled: 2 of 6" in result.out
    merged = written(labels)
    assert merged["00.png"] == "LOT 4711"
    assert merged["01.png"] == "LOT 4712", "it keeps its label"
    assert "05.png" not in merged
    with Journal(journal_of(labels)) as journal:
        journal.decide(("01.png", "LOT 4712"), Decision("Y"))
    again = cli("review", labels, "--merge", one, two)
    assert "disagree" not in again.out, "a person has settled it since"
    assert written(labels)["01.png"] == "Y"


def test_decisions_on_another_label_no_longer_apply(labels: Path, cli: Cli) -> None:
    journal_of(labels).parent.mkdir()
    journal_of(labels).write_text(entry("00.png", "LOT 1711", text="LOT 4711"))
    labels.write_text(labels.read_text("utf-8").replace("LOT 1711", "LOT 9"), "utf-8")
    result = cli("review", labels, "--write")
    assert "no longer apply, because the crop is gone or has another label: 1 (00.png)" in result.err
    assert written(labels)["00.png"] == "LOT 9"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["{labels}"], "--model: what reads the crops is missing"),
        (["{labels}", "--write"], "no review yet"),
        (["{labels}", "--merge"], "no journal to merge"),
        (["{labels}", "other.jsonl", "--write"], "one label file at a time"),
        (["{folder}", "--write"], "a folder, not a label file"),
        (["{labels}", "--unlabelled", "--write"], "not a folder of crops"),
        (["{labels}", "--model", "x", "--output", "{folder}"], "the folder has files but not a review"),
        (["gone.txt", "--model", "x"], "label file not found"),
        (["{labels}", "--shard", "2/1", "--write"], "'2/1' is not a part of a set"),
        (["{labels}", "--model", "x", "--only", "gone.txt"], "gone.txt: list of crops not found"),
        (["{labels}", "--model", "x", "--only", "{folder}/00.png.txt"], "names no crop of these labels"),
    ],
)
def test_a_mistake_is_one_line(arguments: list[str], message: str, labels: Path, cli: Cli) -> None:
    (labels.parent / "00.png.txt").write_text("gone.png\tA\n")
    result = cli("review", *(each.format(labels=labels, folder=labels.parent) for each in arguments))
    assert result.code == 2
    assert len(result.errors) == 1
    assert message in result.errors[0]
    assert not journal_of(labels).parent.exists()
