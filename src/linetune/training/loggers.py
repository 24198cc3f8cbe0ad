"""Loggers of other programs: wandb, mlflow and trackio. A run neither waits for them nor fails with them."""

from __future__ import annotations

import importlib
import importlib.util
import io
import os
import secrets
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import redirect_stdout
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from linetune.core import atomic
from linetune.core.errors import LinetuneError
from linetune.core.progress import Reporter
from linetune.training.journal import Aside, MetricLogger, scalars

FOLDER = "loggers"
"""Folder in the run folder for the names under which the loggers know the run."""
PROJECT = "linetune"
"""The project of a run, unless the logger's own environment variable names one."""


@dataclass(frozen=True)
class Known:
    """What a logger knows of a run."""

    folder: Path
    """The folder for what loggers write."""
    title: str
    settings: Mapping[str, Any]
    """The settings of the run, without folders of the machine."""
    id: str | None
    """The name under which the logger knows a run that continues. None for a new run."""


class Wandb:
    """Sends the figures to Weights & Biases. It never asks for a key: ``wandb login`` stores one."""

    def __init__(self, known: Known) -> None:
        wandb = importlib.import_module("wandb")
        self.id = known.id or secrets.token_hex(8)
        if os.environ.get("WANDB_MODE") not in ("offline", "disabled"):
            wandb.login(prompt=False)
        self._run = wandb.init(
            project=os.environ.get("WANDB_PROJECT", PROJECT),
            name=known.title,
            id=self.id,
            resume="allow",
            dir=str(known.folder),
            config=dict(known.settings),
            settings=wandb.Settings(silent=True, console="off"),
        )
        self._events, self._ended = set[str](), False

    def record(self, event: str, step: int | None, figures: Mapping[str, Any]) -> None:
        self._ended |= event == "end"
        if event not in self._events and step is not None:
            # Each stage counts its own steps.
            self._run.define_metric(f"{event}/*", step_metric=f"{event}/step")
            self._events.add(event)
        if values := scalars(event, figures):
            self._run.log(values if step is None else {**values, f"{event}/step": step})

    def close(self) -> None:
        self._run.finish(exit_code=0 if self._ended else 1)


class Mlflow:
    """Sends the figures to MLflow, where ``MLFLOW_TRACKING_URI`` says."""

    def __init__(self, known: Known) -> None:
        mlflow = importlib.import_module("mlflow")
        self._entities, self._client = mlflow.entities, mlflow.MlflowClient()
        if known.id:
            self.id = known.id
            self._client.update_run(self.id, status="RUNNING")
        else:
            name = os.environ.get("MLFLOW_EXPERIMENT_NAME", PROJECT)
            found = self._client.get_experiment_by_name(name)
            experiment = found.experiment_id if found else self._client.create_experiment(name)
            self.id = str(self._client.create_run(experiment, run_name=known.title).info.run_id)
            for key, value in known.settings.items():
                self._client.log_param(self.id, key, str(value)[:500])  # the longest that every server takes
        self._ended = False

    def record(self, event: str, step: int | None, figures: Mapping[str, Any]) -> None:
        self._ended |= event == "end"
        now = int(time.time() * 1000)
        values = scalars(event, figures).items()
        if metrics := [self._entities.Metric(key, value, now, step or 0) for key, value in values]:
            self._client.log_batch(self.id, metrics=metrics)

    def close(self) -> None:
        self._client.set_terminated(self.id, status="FINISHED" if self._ended else "KILLED")


class Trackio:
    """Writes the figures for Trackio's dashboard."""

    def __init__(self, known: Known) -> None:
        self._trackio = importlib.import_module("trackio")
        self.id = known.id or f"{known.title}-{secrets.token_hex(4)}"  # it finds a run by its name
        project = os.environ.get("TRACKIO_PROJECT", PROJECT)
        with redirect_stdout(io.StringIO()):  # it prints advice, and standard output is for results
            self._run = self._trackio.init(
                project=project, name=self.id, config=dict(known.settings), resume="allow"
            )

    def record(self, event: str, step: int | None, figures: Mapping[str, Any]) -> None:
        if values := scalars(event, figures):
            self._run.log(values, step=step)

    def close(self) -> None:
        with redirect_stdout(io.StringIO()):
            self._run.finish()


LOGGERS: dict[str, Callable[[Known], Any]] = {"wandb": Wandb, "mlflow": Mlflow, "trackio": Trackio}
"""The loggers by the names of their modules and packages, which are those in the run file."""


def refuse_missing(names: Sequence[str]) -> None:
    """Check that the packages of loggers are installed.

    Raises:
        LinetuneError: one is not.
    """
    for name in names:
        if importlib.util.find_spec(name) is None:
            raise LinetuneError(
                f"this needs {name}, which is not installed",
                "loggers",
                f"pip install {name}, or leave it out",
            )


def opened(
    names: Sequence[str], run: Path, settings: Mapping[str, Any], resumed: bool, reporter: Reporter
) -> list[MetricLogger]:
    """Return the loggers of a run, which a run that continues shares with its beginning.

    Args:
        names: keys of :data:`LOGGERS`.
        run: the run folder.
        settings: the settings of the run, without folders of the machine.
        resumed: whether the run continues.
        reporter: gets a line about each logger that fails.
    """
    return [
        Aside(name, partial(_open, name, run, settings, resumed), reporter) for name in dict.fromkeys(names)
    ]


def _open(name: str, run: Path, settings: Mapping[str, Any], resumed: bool) -> MetricLogger:
    """Open a logger, and keep the name under which it knows the run."""
    folder = run / FOLDER
    folder.mkdir(exist_ok=True)
    path = folder / f"{name}.txt"
    before = path.read_text("utf-8").strip() if resumed and path.exists() else None
    logger = LOGGERS[name](Known(folder, run.resolve().name, settings, before))
    atomic.write_text(path, f"{logger.id}\n")
    return logger  # type: ignore[no-any-return]
