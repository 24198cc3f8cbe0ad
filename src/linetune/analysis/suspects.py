"""Suspects: training labels that a model disagrees with which was not trained on them."""

from __future__ import annotations

import copy
import math
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial

import torch
from torch import Tensor

from linetune.config.schema import Config, Stage
from linetune.core import cache
from linetune.core.charset import Charset, show
from linetune.core.image import half_turned
from linetune.core.labelfile import Line, read_labels
from linetune.core.progress import Reporter, Silent, count
from linetune.core.reading_order import is_same
from linetune.data.dataset import Dataset, load_dataset
from linetune.data.groups import group
from linetune.data.split import divide
from linetune.decode import default_decoder
from linetune.decode.evidence import disagreement
from linetune.decode.read import deployed_batches
from linetune.formats.official import load_base
from linetune.formats.transfer import with_charset
from linetune.models.network import Network
from linetune.training.batches import Batches, ImageBatches, endless
from linetune.training.context import device_of, precision_of
from linetune.training.features import FeatureBatches
from linetune.training.gather import charset_of
from linetune.training.journal import Journal
from linetune.training.loop import run_steps
from linetune.training.losses import ctc_losses
from linetune.training.schedule import InEpochs
from linetune.training.tracker import Tracker
from linetune.training.trainer import Rows, Trainer

EPOCHS, RATE = 6, 1e-3
SETTINGS = Stage(name="suspects", data=["train"], freeze=["backbone"], epochs=EPOCHS, learning_rate=RATE)
"""How the neck and the head are trained on the other folds."""
DISPUTED = math.log(20)
"""Least score of a suspect. A certain reading is then 20 times as probable as the label."""
CERTAIN = 0.2
"""Largest negative log-likelihood of a certain reading. On 800 cable markers read upside down, right readings
had at most 0.36, most of them below 0.1, and wrong readings had at least 0.34."""
UNLIKELY = 5.0
"""Least negative log-likelihood of a label that is surely not the text of the upright crop."""
LEARNT = 0.5
"""Least share of right readings among the labels with an unknown character. Below it, training has not taught
the character, and the reading shows nothing about the label."""
LEGIBLE = 1 / 3
"""Least share of right readings among all judged labels. Below it, the model cannot read these crops, and its
disagreement shows nothing."""


@dataclass(frozen=True, slots=True)
class Reading:
    """The reading of a crop by a model that was trained neither on it nor on its near-duplicates."""

    line: Line
    read: str
    label_nll: float
    """Negative log-likelihood of the label (CTC)."""
    read_nll: float
    """Negative log-likelihood of the text that was read."""

    @property
    def agrees(self) -> bool:
        """Whether the text that was read equals the label."""
        return is_same(self.read, self.line.text)

    @property
    def score(self) -> float:
        """How strongly the model disagrees, see :func:`disagreement`. 0 if the label was read."""
        return disagreement(-self.label_nll, -self.read_nll)


@dataclass(frozen=True)
class Suspects:
    """The result of the cross-validation."""

    disputed: list[Reading]
    """Readings with a score of at least :data:`DISPUTED`, the highest score first."""
    lines: int
    """Number of labels."""
    agreed: int
    """Number of labels that were read as they are."""
    skipped: int
    """Lines left out because they could not be used."""
    unjudged: int = 0
    """Labels with a character that the base model does not know and training did not teach. None is a
    suspect."""

    def doubt(self, say: Callable[..., str] = str.format) -> str | None:
        """Return why the model cannot tell which labels are wrong, one sentence. None if it can.

        Args:
            say: puts values into a sentence. It may translate the sentence.
        """
        judged = self.lines - self.unjudged
        if judged and self.agreed >= LEGIBLE * judged:
            return None
        return say(
            "the base model cannot tell which labels are wrong: it reads only {agreed} of {lines} as they "
            "are",
            agreed=self.agreed,
            lines=self.lines,
        )


def find_suspects(
    config: Config,
    folds: int = 3,
    model: str | None = None,
    group_by: str | None = None,
    skip_bad: bool = False,
    reporter: Reporter | None = None,
) -> Suspects:
    """Read every training crop with a head that was trained on the other cross-validation folds.

    A label is suspect if it is improbable to a model that was not trained on it (Northcutt, Jiang and Chuang
    2021, "Confident Learning: Estimating Uncertainty in Dataset Labels", JAIR 70, arXiv 1911.00068). Here the
    CTC probability of the label is compared with that of the text that was read.

    A crop whose reading differs from its label is read upside down as well. If that reading equals the label,
    the label counts as correct: a 6 with the label 9 is no suspect. If the crop is read with certainty only
    upside down, its label is compared with that reading.

    The backbone is frozen, and its features serve all folds. In every fold, the neck and the head start again
    from the base model.

    Args:
        config: the run. Its training labels, charset, base model, seed and device count.
        folds: number of cross-validation folds, at least 2.
        model: another base model, as a run file names it.
        group_by: names the group of a crop (:func:`linetune.data.groups.group`). A group stays in one fold.
        skip_bad: leave out lines that cannot be used.
        reporter: gets messages and progress.

    Raises:
        LinetuneError: anything in the configuration or the data that cannot be used.
    """
    reporter = reporter or Silent()
    device = device_of(config)
    dtype = precision_of(config, device)
    cache.check_writable()
    lines = list(dict.fromkeys(read_labels(*config.data.train)))
    config.aliases.refuse(lines)
    wanted = charset_of(config, (line.text for line in lines))
    data = load_dataset(lines, wanted, skip_bad, count(reporter, "train crops", len(lines)))
    parts = _folds(data.lines, group(data.lines, group_by, count(reporter, "comparing", len(data))), folds)
    base = load_base(model or config.base_model, partial(reporter.progress, "weights"))
    reporter.say(f"base model {base.base_model} from {base.source}")
    start = with_charset(base, wanted, config.aliases)
    charset = start.model.charset
    data = replace(data, labels=[charset.encode(text) for text in data.texts])  # aliases have classes too
    if start.unknown:
        reporter.say(f"the base model has never seen {show(*start.unknown)}")
    network = start.model.network.to(device)
    images = ImageBatches(data, SETTINGS, config.seed, 0, device)
    features = FeatureBatches(network, images, 1, dtype, count(reporter, "features", len(data)))
    readings: list[Reading] = []
    for number, held_out in enumerate(parts, 1):
        others = sorted({*range(len(data))} - {*held_out})
        tracker = Tracker(f"fold {number} of {folds}", "fold", Journal(), reporter)
        trained = _trained(network, features.of(others), len(others), config.seed, tracker, charset)
        readings += _read_fold(trained, features, held_out, data, charset)
    found = judge(readings, start.unknown, data.skipped)
    _say_doubts(found, reporter)
    return found


def _say_doubts(found: Suspects, reporter: Reporter) -> None:
    if found.unjudged:
        reporter.say(
            f"{found.unjudged} labels are not judged: they have characters that the base model has never "
            "seen, and too few crops teach them"
        )
    if doubt := found.doubt():
        reporter.say(doubt)


def way_up(upright: Reading, turned: Reading) -> Reading:
    """Return the reading to compare with the label: upright, or turned if the crop is upside down."""
    nothing_said = upright.label_nll >= UNLIKELY and upright.read_nll > CERTAIN
    certain = turned.read != "" and turned.read_nll <= CERTAIN
    return turned if turned.agrees or (nothing_said and certain) else upright


def judge(readings: Sequence[Reading], unknown: Collection[str] = (), skipped: int = 0) -> Suspects:
    """Return the suspects, without labels on which the model is only unsure or cannot judge.

    Args:
        readings: one reading of every label.
        unknown: characters that the base model does not know.
        skipped: number of lines that were left out before.
    """
    untaught = {character for character in unknown if not _learnt(character, readings)}
    judged = [reading for reading in readings if not untaught.intersection(reading.line.text)]
    agreed = sum(reading.agrees for reading in judged)
    disputed = sorted((each for each in judged if each.score >= DISPUTED), key=lambda each: -each.score)
    found = Suspects(disputed, len(readings), agreed, skipped, len(readings) - len(judged))
    return replace(found, disputed=[]) if found.doubt() else found


def _learnt(character: str, readings: Sequence[Reading]) -> bool:
    read = [reading.agrees for reading in readings if character in reading.line.text]
    return sum(read) >= LEARNT * len(read)


def _folds(lines: Sequence[Line], groups: Sequence[Sequence[int]], folds: int) -> list[list[int]]:
    """Return the numbers of the lines in each fold. No group is in two folds."""
    division = divide(lines, groups, {str(fold): 1 / folds for fold in range(2, folds + 1)})
    numbers = {line: number for number, line in enumerate(lines)}
    return [[numbers[line] for line in fold] for fold in division.splits.values()]


def _trained(
    start: Network, batches: Batches, crops: int, seed: int, tracker: Tracker, charset: Charset
) -> Network:
    """Return a copy of a network with the averaged weights of a neck and head trained on some crops."""
    network, rows = copy.deepcopy(start), Rows(aliases=charset.alias_classes)
    trainer = Trainer(network, SETTINGS, (seed, 0), torch.float32, SETTINGS.batch_size, rows)
    run_steps(trainer, endless(batches), InEpochs(SETTINGS, RATE, crops, crops), tracker)
    return trainer.state.average.network.eval()


def _read_fold(
    network: Network, features: FeatureBatches, members: Sequence[int], data: Dataset, charset: Charset
) -> Iterable[Reading]:
    """Read the crops of a fold, those whose label is not read upside down as well."""
    readings = dict(_readings(_held_out(network, features, members), data, charset))
    unread = [crop for crop, reading in readings.items() if not reading.agrees]
    for crop, reading in _readings(_turned(network, data, unread), data, charset):
        readings[crop] = way_up(readings[crop], reading)
    return readings.values()


Logits = Iterator[tuple[Sequence[int], Tensor]]
"""(crop numbers, logits) of some crops, a batch at a time."""


@torch.inference_mode()
def _held_out(network: Network, features: FeatureBatches, members: Sequence[int]) -> Logits:
    for crops, batch in features.once(members):
        yield crops.tolist(), network.classify(batch.inputs)


@torch.inference_mode()
def _turned(network: Network, data: Dataset, members: Sequence[int]) -> Logits:
    """Yield logits of crops upside down. Their features are not stored."""
    crops = [half_turned(data.crops[i]) for i in members]
    for some, batch in deployed_batches(crops):
        yield [members[i] for i in some], network(torch.from_numpy(batch).to(network.device))


def _readings(batches: Logits, data: Dataset, charset: Charset) -> Iterator[tuple[int, Reading]]:
    """Yield the reading of each crop, with its probability and that of the label."""
    for crops, logits in batches:
        log_probabilities = logits.float().log_softmax(2)
        read = [each.text for each in default_decoder(charset)(log_probabilities.exp().cpu().numpy())]
        texts = [data.labels[crop] for crop in crops], [charset.encode(text) for text in read]
        label_nll, read_nll = (
            ctc_losses(log_probabilities, each, charset.alias_classes).tolist() for each in texts
        )
        for crop, *figures in zip(crops, read, label_nll, read_nll, strict=True):
            yield crop, Reading(data.lines[crop], *figures)
