"""Loggers of other programs: what they get, and that a run neither waits for them nor fails with them."""

from __future__ import annotations

import json
import sys
import threading
from collections.abc import Callable
from importlib.machinery import ModuleSpec
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest
import torture
from conftest import Heard

from linetune.config.load import load
from linetune.core.errors import LinetuneError
from linetune.training import journal
from linetune.training.journal import Aside
from linetune.training.loggers import opened, refuse_missing
from linetune.training.run import resume, train

NAMES = ["wandb", "mlflow", "trackio"]
SETTINGS = {"seed": 0}


class Calls(list[Any]):
    """What a module was called with: (name, arguments, keywords)."""

    def __call__(self, name: str, result: Any = None) -> Callable[..., Any]:
        def called(*arguments: Any, **keywords: Any) -> Any:
            self.append((name, arguments, keywords))
            return result

        return called

    def of(self, name: str) -> list[Any]:
        return [(arguments, keywords) for called, arguments, keywords in self if called == name]


def install(monkeypatch: pytest.MonkeyPatch, name: str, **content: Any) -> None:
    module = ModuleType(name)
    module.__spec__ = ModuleSpec(name, None)
    module.__dict__.update(content)
    monkeypatch.setitem(sys.modules, name, module)


@pytest.fixture
def wandb(monkeypatch: pytest.MonkeyPatch) -> Calls:
    calls = Calls()
    run = SimpleNamespace(**{name: calls(name) for name in ("define_metric", "log", "finish")})
    content = {"login": calls("login"), "init": calls("init", run), "Settings": dict}
    install(monkeypatch, "wandb", **content)
    return calls


@pytest.fixture
def mlflow(monkeypatch: pytest.MonkeyPatch) -> Calls:
    calls = Calls()
    run = SimpleNamespace(info=SimpleNamespace(run_id="r1"))
    names = ("get_experiment_by_name", "log_param", "log_batch", "set_terminated", "update_run")
    client = SimpleNamespace(
        **{name: calls(name) for name in names},
        create_experiment=calls("create_experiment", "e1"),
        create_run=calls("create_run", run),
    )
    entities = SimpleNamespace(Metric=lambda *values: values)
    install(monkeypatch, "mlflow", MlflowClient=lambda: client, entities=entities)
    return calls


@pytest.fixture
def trackio(monkeypatch: pytest.MonkeyPatch) -> Calls:
    calls = Calls()

    def init(**keywords: Any) -> Any:
        print("* Trackio project initialized")
        return calls("init", SimpleNamespace(log=calls("log"), finish=calls("finish")))(**keywords)

    install(monkeypatch, "trackio", init=init)
    return calls


def logged(names: list[str], run: Path, resumed: bool = False, ended: bool = True) -> list[str]:
    """Give a few events to loggers. Return what was said."""
    run.mkdir(exist_ok=True)
    heard = Heard()
    some = opened(names, run, SETTINGS, resumed, heard)
    for logger in some:
        logger.record("plan", None, {"seconds": 0.5, "stages": []})
        logger.record("real", 10, {"seconds": 1.5, "step": 10, "loss": 0.5, "epoch": 1})
        logger.record("real", 20, {"seconds": 2.5, "step": 20, "loss": float("nan"), "epoch": 1})
        if ended:
            logger.record("end", None, {"seconds": 3.0, "total_seconds": 3.0})
        logger.close()
    return heard.lines


def test_wandb_gets_the_figures_of_each_stage_by_its_own_steps(wandb: Calls, tmp_path: Path) -> None:
    assert logged(["wandb"], tmp_path / "run") == []
    (((), keywords),) = wandb.of("init")
    assert (keywords["project"], keywords["name"], keywords["config"]) == ("linetune", "run", SETTINGS)
    assert wandb.of("login") == [((), {"prompt": False})]  # nobody answers a question
    assert wandb.of("define_metric") == [(("real/*",), {"step_metric": "real/step"})]
    assert wandb.of("log")[0] == (({"real/loss": 0.5, "real/step": 10},), {})
    assert wandb.of("finish") == [((), {"exit_code": 0})]
    assert (tmp_path / "run/loggers/wandb.txt").read_text("utf-8").strip() == keywords["id"]


def test_mlflow_gets_metrics_and_settings(mlflow: Calls, tmp_path: Path) -> None:
    assert logged(["mlflow"], tmp_path / "run", ended=False) == []
    assert mlflow.of("create_experiment") == [(("linetune",), {})]
    assert mlflow.of("create_run") == [(("e1",), {"run_name": "run"})]
    assert mlflow.of("log_param") == [(("r1", "seed", "0"), {})]
    (((run,), keywords),) = mlflow.of("log_batch")
    ((name, value, _, step),) = keywords["metrics"]
    assert (run, name, value, step) == ("r1", "real/loss", 0.5, 10)
    assert mlflow.of("set_terminated") == [(("r1",), {"status": "KILLED"})]


def test_trackio_gets_the_figures_and_standard_output_nothing(
    trackio: Calls, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert logged(["trackio"], tmp_path / "run") == []
    (((), keywords),) = trackio.of("init")
    assert keywords["name"].startswith("run-")
    assert trackio.of("log")[0] == (({"real/loss": 0.5},), {"step": 10})
    assert len(trackio.of("finish")) == 1
    assert capsys.readouterr().out == ""


def test_a_resumed_run_is_the_same_run_for_its_loggers(
    wandb: Calls, mlflow: Calls, trackio: Calls, tmp_path: Path
) -> None:
    logged(NAMES, tmp_path / "run")
    logged(NAMES, tmp_path / "run", resumed=True)
    first, second = (keywords for _, keywords in wandb.of("init"))
    assert first["id"] == second["id"]
    first, second = (keywords for _, keywords in trackio.of("init"))
    assert first["name"] == second["name"]
    assert len(mlflow.of("create_run")) == 1
    assert mlflow.of("update_run") == [(("r1",), {"status": "RUNNING"})]
    logged(["wandb"], tmp_path / "run")
    assert wandb.of("init")[-1][1]["id"] != first["name"]


def test_a_logger_that_is_not_installed_is_refused_before_anything_is_done(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "trackio", None)
    torture.prepare(tmp_path / "project", middle=False)
    run = load(tmp_path / "project/linetune.yaml", ["loggers=trackio"])
    heard = Heard()
    with pytest.raises(LinetuneError) as caught:
        train(run, reporter=heard)
    hint = "pip install trackio, or leave it out"
    assert str(caught.value) == f"loggers: this needs trackio, which is not installed; {hint}"
    assert (heard.lines, run.output.exists()) == ([], False)
    with pytest.raises(LinetuneError, match="loggers"):
        load(tmp_path / "project/linetune.yaml", ["loggers=visualdl"])
    refuse_missing(["json"])


@pytest.mark.parametrize("error", [RuntimeError("no network\nat all"), SystemExit(), KeyError()])
def test_a_logger_that_fails_is_said_once_and_left_out(
    error: BaseException, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, trackio: Calls
) -> None:
    def failing(**_: Any) -> Any:
        raise error

    install(monkeypatch, "wandb", login=failing)
    said = logged(["wandb", "trackio"], tmp_path / "run")
    reason = str(error).splitlines()[0] if str(error) else type(error).__name__
    assert said == [f"the run goes on without wandb, which failed: {reason}"]
    assert len(trackio.of("log")) == 2


def test_a_logger_that_hangs_holds_nothing_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(journal, "PATIENCE", 0.05)
    heard, never = Heard(), threading.Event()

    def hanging() -> Any:
        never.wait()
        raise RuntimeError

    logger = Aside("wandb", hanging, heard)
    logger.record("real", 10, {"loss": 0.5})
    logger.close()
    assert heard.lines == ["wandb still sends after 0 s; the rest is left out"]
    never.set()


def test_a_run_with_loggers_gives_the_same_model(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, wandb: Calls, mlflow: Calls
) -> None:
    torture.hurry(monkeypatch.setattr)
    torture.prepare(tmp_path / "project", middle=False)
    file, heard = tmp_path / "project/linetune.yaml", Heard()
    train(load(file, [f"output={tmp_path / 'plain'}"]), export=False)
    install(monkeypatch, "trackio", init=None)  # broken
    out = tmp_path / "logged"
    train(load(file, [f"output={out}", f"loggers=[{', '.join(NAMES)}]"]), export=False, reporter=heard)
    whole, other = torture.result(tmp_path / "plain"), torture.result(out)
    assert other["files"] == sorted([*whole.pop("files"), "loggers"])
    del other["files"]
    assert whole == other
    assert [line for line in heard.lines if "goes on without" in line] == [
        "the run goes on without trackio, which failed: 'NoneType' object is not callable"
    ]
    names = {name for (values,), _ in wandb.of("log") for name in values}
    assert {"real/loss", "real validation/exact_match", "real/learning_rate"} <= names
    # The settings name no folder of this machine.
    assert str(tmp_path) not in json.dumps(wandb.of("init")[0][1]["config"])
    with pytest.raises(LinetuneError, match="the run is complete"):
        resume(out)
