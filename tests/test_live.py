"""What a person sees of a run while it trains: in a terminal, in a log, and in another process."""

from __future__ import annotations

import io
import json
import os
import sys
import time
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from conftest import Cli, Heard
from rich.console import Console

from linetune.core import cache
from linetune.report.live import Board, curve, packed
from linetune.report.terminal import Log, console, terminal
from linetune.training.follow import JournalReader, state_of

VAL = {"exact_match": 0.8, "cer": 0.1, "lines": 50, "interval": [0.7, 0.9]}
PLAN: list[dict[str, Any]] = [
    {
        "event": "plan",
        "seconds": 1,
        "within": None,
        "stages": [{"name": "head", "crops": 1200, "seconds": 100}, {"name": "real", "seconds": 600}],
    },
    {"event": "result", "seconds": 10, "name": "PP, untouched", "val": VAL | {"exact_match": 0.9}},
    {"event": "result", "seconds": 10, "name": "PP, limited to the charset", "val": VAL},
]
STAGE: dict[str, Any] = {
    "event": "stage",
    "seconds": 20,
    "name": "real",
    "number": 2,
    "crops": 400,
    "within": None,
}


def step(number: int, seconds: float, loss: float, length: int = 1200) -> dict[str, Any]:
    return {
        "event": "real",
        "seconds": seconds,
        "step": number,
        "epoch": 1 + number // 60,
        "length": length,
        "loss": loss,
        "learning_rate": 4.5e-5,
        "images_per_second": 182.4,
    }


def validation(number: int, seconds: float, exact: float, kept: bool) -> dict[str, Any]:
    found = {"step": number, "exact_match": exact, "kept": kept, "seconds": seconds}
    return {"event": "real validation", **found}


EVENTS = [
    *PLAN,
    STAGE,
    *(step(n, 20 + n, 0.4 - n / 1200) for n in range(10, 381, 10)),
    validation(380, 402, 0.942, True),
    step(390, 412, 0.05),
    validation(400, 424, 0.938, False),
    step(410, 430, 0.031),
]
"""The journal of a run in its second stage, at step 410 of 1,200."""


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now

    def time_of_day(self) -> datetime:
        return datetime(2026, 1, 1, 12) + timedelta(seconds=self.now)


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def board(clock: Clock) -> Board:
    return Board(clock)


def take(board: Board, *events: dict[str, Any]) -> None:
    for event in events:
        board.standing.take(event["event"], event)


def drawn(board: Board, width: int = 80, encoding: str = "utf-8", **options: Any) -> list[str]:
    stream = io.TextIOWrapper(io.BytesIO(), encoding=encoding, newline="\n")
    # A legacy console keeps its last column free.
    columns = width + bool(options.get("legacy_windows"))
    Console(file=stream, width=columns, height=24, **options).print(board)
    stream.flush()
    assert isinstance(stream.buffer, io.BytesIO)
    return stream.buffer.getvalue().decode(encoding).splitlines()


def test_the_view_of_a_stage(board: Board) -> None:
    take(board, *EVENTS)
    assert drawn(board, 80) == [
        f"stage 2 of 2: real  {'━' * 13}{'─' * 27}  410 of 1,200 steps",
        "epoch 7  loss 0.031 ██▇▆▆▅▄▄▃▂▂▁  learning rate 4.5e-05  182 crops/s",
        "validation 93.8% exact  best 94.2% at step 380  before the stage 80.0%",
        "13 min left in the stage",
    ]


def test_a_narrow_terminal_gets_all_of_it_in_more_lines(board: Board) -> None:
    take(board, *EVENTS)
    wide, narrow = drawn(board, 120), drawn(board, 40)
    assert all(len(line) <= 40 for line in narrow)
    facts = [fact for line in wide[1:] for fact in line.split("  ")]
    assert [fact for line in narrow[2:] for fact in line.split("  ")] == facts
    assert narrow[:2] == ["stage 2 of 2: real", f"{'━' * 6}{'─' * 14}  410 of 1,200 steps"]
    assert all(len(line) <= 10 for line in drawn(board, 10))


@pytest.mark.parametrize("options", [{"encoding": "cp1252"}, {"legacy_windows": True}])
def test_a_console_with_few_characters_gets_ascii(board: Board, options: dict[str, Any]) -> None:
    take(board, *EVENTS)
    board.progress("rendering", 10, 20)
    assert drawn(board, 80, **options)[:2] == [
        f"stage 2 of 2: real  {'#' * 13}{'.' * 27}  410 of 1,200 steps",
        "epoch 7  loss 0.031  learning rate 4.5e-05  182 crops/s",
    ]
    assert "\n".join(drawn(board, 30, **options)).isascii()


def test_the_time_of_later_stages_is_what_they_were_expected_to_take(board: Board) -> None:
    take(board, *PLAN)
    assert board.standing.run_left == 700
    take(board, STAGE | {"name": "head", "number": 1})
    assert (board.standing.stage_left, board.standing.run_left) == (None, 700)
    for number in (10, 20):
        take(board, step(number, 20 + number, 0.1, length=80) | {"event": "head"})
    assert (board.standing.stage_left, board.standing.run_left) == (60, 660)
    take(board, {"event": "result", "seconds": 50, "name": "stage head", "val": VAL | {"exact_match": 0.85}})
    assert (board.standing.stage, board.standing.run_left) == ("", 600)
    take(board, STAGE)
    assert board.standing.before == 0.85
    take(board, {"event": "end", "seconds": 60, "best": "stage head"})
    assert board.standing.ended
    assert board.standing.run_left is None


def test_a_time_limit_ends_the_stage_and_the_run(board: Board) -> None:
    take(board, PLAN[0] | {"within": 299}, STAGE | {"within": 180}, step(10, 30, 0.1), step(20, 40, 0.1))
    assert (board.standing.stage_left, board.standing.run_left) == (160, 160)


def test_a_trial_comes_before_its_stage(board: Board) -> None:
    trial = STAGE | {"name": "real-trial"}
    take(board, *PLAN, trial)
    assert board.standing.run_left == 600
    take(board, {"event": "real trial", "seconds": 90, "before": 0.5, "after": 0.6})
    assert (board.standing.stage, board.standing.run_left) == ("", 600)
    take(board, trial, {"event": "real trial", "seconds": 90, "before": 0.5, "after": 0.4})
    assert board.standing.run_left == 0  # the stage is skipped


def test_the_best_validation_may_be_that_of_a_trial_of_rates(board: Board) -> None:
    rates = {"event": "real rate", "seconds": 30}
    take(board, *PLAN, STAGE, rates | {"exact_match": 0.81, "kept": True}, step(70, 40, 0.1))
    take(board, rates | {"exact_match": 0.7, "kept": False})
    assert "validation 81.0% exact  best 81.0% in a trial" in drawn(board)[2]


def test_what_is_no_event_of_a_run_changes_nothing(board: Board) -> None:
    take(board, *EVENTS)
    before = drawn(board)
    for event in ("plan", "stage", "result", "real", "real validation", "real rate", "real trial", "\x1b"):
        for figures in ({}, {"seconds": "x"}, {"seconds": 1e999, "name": None, "step": 1e999, "stages": [1]}):
            board.standing.take(event, figures)
    assert drawn(board)[:3] == before[:3]
    take(board, STAGE | {"name": "\x1b[2J"})
    assert "stage 2 of 2: ?[2J" in drawn(board)[0]


def test_tasks_are_shown_until_they_are_over(board: Board, clock: Clock) -> None:
    board.progress("rendering", 0, 24_000)
    clock.now = 60
    board.progress("rendering", 6_000, 24_000)
    assert drawn(board) == [f"rendering  {'━' * 10}{'─' * 30}  6,000 of 24,000  3 min left"]
    assert board.line() == "rendering  6,000 of 24,000  3 min left"
    board.progress("export", 0, 1)
    clock.now = 100
    assert board.line() == "export  for 40 s"
    assert board.progress("export", 1, 1)
    assert board.progress("rendering", 24_000, 24_000)
    clock.now = 105
    assert drawn(board) == ["working for 5 s"]


def test_the_stage_is_not_shown_twice(board: Board) -> None:
    take(board, *EVENTS)
    board.progress("stage real", 410, 1200)
    assert len(drawn(board)) == 4
    take(board, *({**event, "run": "50"} for event in EVENTS))
    board.progress("50: stage real", 410, 1200)
    assert drawn(board)[0].startswith("50: stage 2 of 2: real  ")
    assert len(drawn(board)) == 4


def test_silence_is_said(board: Board, clock: Clock) -> None:
    take(board, *EVENTS)
    clock.now = 200
    assert drawn(board)[-1] == "no new figures for 3 min"
    assert board.line().endswith("  no new figures for 3 min")


def test_a_curve_has_the_means_of_its_values() -> None:
    assert curve([]) == curve([1.0]) == curve([2.0, 2.0]) == ""
    assert curve([0, 1]) == "▁█"
    assert curve(range(24)) == "▁▁▂▃▃▄▅▆▆▇██"
    assert list(packed(["aa", "bb", "cccccc"], 6)) == ["aa  bb", "cccccc"]


@pytest.fixture
def log(board: Board, clock: Clock, monkeypatch: pytest.MonkeyPatch) -> tuple[Log, io.StringIO]:
    stream = io.StringIO()
    monkeypatch.setattr(sys, "stderr", stream)
    return Log(console(stderr=True), board, clock.time_of_day), stream


def test_a_log_has_a_line_every_half_minute(log: tuple[Log, io.StringIO], clock: Clock) -> None:
    reporter, stream = log
    for event in EVENTS:
        reporter.figures(event["event"], event)
    for second in range(1, 600):
        clock.now = second
        reporter.poll()
        reporter.progress("export", 0, 1) if second > 270 else None
    lines = stream.getvalue().splitlines()
    wanted = "12:00:30  stage real  epoch 7, step 410 of 1,200  loss 0.031  best 94.2%  13 min left"
    assert lines[0] == wanted
    assert lines[-1] == "12:09:30  export  for 5 min"
    assert [line[:8] for line in lines] == [f"12:{n // 60:02}:{n % 60:02}" for n in range(30, 600, 30)]


def test_a_message_and_a_long_task_have_their_time(log: tuple[Log, io.StringIO], clock: Clock) -> None:
    reporter, stream = log
    reporter.progress("rendering", 1, 500)
    clock.now = 9
    reporter.say("[red] :smile:")
    reporter.progress("rendering", 500, 500)
    reporter.progress("features", 1, 900)
    clock.now = 29
    reporter.progress("features", 900, 900)
    assert stream.getvalue().splitlines() == ["12:00:09  [red] :smile:", "12:00:29  features: 900 in 20 s"]


def test_a_log_is_polled_while_it_is_open(monkeypatch: pytest.MonkeyPatch) -> None:
    stream, board = io.StringIO(), Board()
    monkeypatch.setattr("linetune.report.terminal.EVERY", 0.0)
    log = Log(Console(file=stream, width=80), board)
    polled, poll = list[None](), log.poll
    monkeypatch.setattr(log, "poll", lambda: polled.append(poll()))
    monkeypatch.setattr(log._closed, "wait", lambda _: len(polled) > 2)
    with log.open():
        pass
    assert len(polled) == 3
    assert stream.getvalue().count("working for") == 3


def test_quiet_shows_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    with terminal(quiet=True) as reporter:
        reporter.say("hello")
        reporter.progress("rendering", 1, 2)
        reporter.figures("stage", STAGE)
    assert capsys.readouterr() == ("", "")


def write(folder: Path, events: list[dict[str, Any]], half: str = "") -> None:
    folder.mkdir(exist_ok=True)
    text = "".join(json.dumps(event) + "\n" for event in events) + half
    (folder / "journal.jsonl").write_text(text, encoding="utf-8")


class Shown(Heard):
    """A reporter that remembers events, and the standing that they give."""

    def __init__(self) -> None:
        super().__init__()
        self.board = Board()
        self.events: list[str] = []

    def figures(self, event: str, figures: Any) -> None:
        self.events.append(event)
        self.board.standing.take(event, figures)


def test_a_journal_is_followed_line_by_line(tmp_path: Path) -> None:
    shown, run = Shown(), tmp_path / "run"
    journal = JournalReader(run, shown)
    journal.read()
    write(run, PLAN, '{"event": "sta')
    journal.read()
    journal.read()
    assert shown.events == ["plan", "result", "result"]
    write(run, [*PLAN, STAGE, step(10, 30, 0.5)], "\xff\n[1]\nnull\n")
    journal.read()
    assert shown.events[3:] == ["stage", "real"]
    assert shown.board.standing.step == 10


def test_a_journal_that_was_cut_is_read_again(tmp_path: Path) -> None:
    shown, run = Shown(), tmp_path / "run"
    journal = JournalReader(run, shown)
    write(run, EVENTS)
    journal.read()
    assert shown.board.standing.step == 410
    write(run, EVENTS[:10])
    journal.read()
    assert shown.board.standing.step == 60
    assert len(shown.board.standing.losses) == 6


def complete(run: Path) -> None:
    rows = [
        {"name": name, "val": VAL | {"exact_match": exact}, "test": None, "training_seconds": seconds}
        for name, exact, seconds in (("PP, untouched", 0.7, 0), ("PP, limited", 0.8, 0), ("stage a", 0.9, 61))
    ]
    found = {"rows": rows, "best": "stage a", "seconds": 99.5}
    (run / "results.json").write_text(json.dumps(found), encoding="utf-8")


def test_watching_a_run_until_it_ends(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, cli: Cli) -> None:
    run = tmp_path / "run"
    write(run, PLAN)
    lock = cache.locked(run)
    lock.__enter__()
    looks = 0

    def later(_: float) -> None:
        nonlocal looks
        looks += 1
        write(run, EVENTS)
        if looks == 3:
            complete(run)
            lock.__exit__(None, None, None)

    monkeypatch.setattr(time, "sleep", later)
    done = cli("watch", run)
    assert (done.code, looks, done.err) == (0, 3, "")
    assert "stage a *" in done.out
    assert "90.0%" in done.out
    assert f"model  {run / 'model.safetensors'}" in done.out
    assert state_of(run) == "complete"
    # The last view of a complete run, at once.
    assert "the run is complete since " in cli("watch", run).out


def test_watching_a_run_that_was_killed(tmp_path: Path, cli: Cli) -> None:
    run = tmp_path / "a run"
    write(run, EVENTS)
    with cache.locked(run):
        pass
    moment = datetime.now().timestamp() - 7200
    os.utime(run / "journal.jsonl", (moment, moment))
    done = cli("watch", run)
    since = datetime.fromtimestamp(moment)
    assert done.code == 1
    assert done.out.splitlines() == [
        f"the run has stopped: nothing was written since {since:%Y-%m-%d %H:%M} (2 h 0 min ago), "
        "and no process trains it",
        f"continue with: linetune train --resume '{run}'",
    ]


def interrupting(_: float) -> None:
    raise KeyboardInterrupt


def test_watching_before_there_is_a_journal(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, cli: Cli
) -> None:
    done = cli("watch", tmp_path / "none")
    assert (done.code, done.out) == (2, "")
    assert done.err.startswith(f"error: {tmp_path / 'none'}: no such run folder; linetune train makes it")
    monkeypatch.setattr(time, "sleep", interrupting)
    done = cli("watch", tmp_path)
    assert (done.code, done.out) == (0, "")
    assert done.err.endswith(f"{tmp_path} has no journal yet; waits for the run to begin\n")
    assert cli("watch", tmp_path, "--quiet") == (0, "", "")


def test_a_run_of_another_machine_is_followed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, cli: Cli
) -> None:
    write(tmp_path / "run", EVENTS)
    monkeypatch.setattr(time, "sleep", interrupting)
    done = cli("watch", tmp_path / "run")
    assert done.code == 0
    assert f"no process of this machine trains {tmp_path / 'run'}; last written " in done.err


def test_results_of_something_else_give_one_line(tmp_path: Path, cli: Cli) -> None:
    write(tmp_path / "run", EVENTS)
    with cache.locked(tmp_path / "run"):
        pass
    for text in ("[]", "{}", '{"rows": [{}], "best": "a", "seconds": 1}', "{"):
        (tmp_path / "run/results.json").write_text(text, encoding="utf-8")
        done = cli("watch", tmp_path / "run")
        assert (done.code, len(done.errors)) == (2, 1), text
