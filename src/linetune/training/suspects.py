"""Labels that a model disputes which has not been trained on them."""

from __future__ import annotations

import copy
import math
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass, replace

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
from linetune.decode.greedy import greedy
from linetune.decode.read import deployed_batches
from linetune.formats.official import load_base
from linetune.formats.transfer import with_charset
from linetune.models.network import Network
from linetune.training.batches import ImageBatches
from linetune.training.features import FeatureBatches
from linetune.training.gather import charset_of
from linetune.training.losses import ctc_losses
from linetune.training.run import chosen_device, chosen_precision
from linetune.training.schedule import InEpochs
from linetune.training.trainer import Trainer

EPOCHS, RATE = 6, 1e-3
SETTINGS = Stage(name="suspects", data=["train"], freeze=["backbone"], epochs=EPOCHS, learning_rate=RATE)
"""How neck and head are trained on each fold's features."""
DISPUTED = math.log(20)
"""Least score of a disputed label: a reading that is certain is 20 times as probable as the label."""
CERTAIN = 0.2
"""Most negative log-likelihood of a reading that is certain. Of 800 crops of cable markers read upside down,
right readings had up to 0.36, mostly below 0.1, and wrong ones 0.34 and more."""
UNLIKELY = 5.0
"""Least negative log-likelihood of a label that nothing on the crop speaks for as it stands."""
LEARNT = 0.5
"""Least share of the labels with a new character that must be read as they stand. Below it the folds have not
taught the character, and what is read in its place says nothing about the label."""
LEGIBLE = 1 / 3
"""Least share of all judged labels that must be read as they stand. Below it the model cannot read these
crops, and what it disputes says nothing."""


@dataclass(frozen=True, slots=True)
class Reading:
    """A crop as a model reads it that has trained on neither this crop nor its like."""

    line: Line
    read: str
    label_nll: float
    """Negative log-likelihood of the label, by CTC over all frames."""
    read_nll: float
    """That of what was read."""

    @property
    def agrees(self) -> bool:
        """Whether the label was read as it stands."""
        return is_same(self.read, self.line.text)

    @property
    def score(self) -> float:
        """p(read) (log p(read) - log p(label)): how strongly the label is disputed, 0 where it was read.

        The difference alone puts crops first on which nothing is certain, such as one that is upside down.
        """
        return math.exp(-self.read_nll) * (self.label_nll - self.read_nll)


@dataclass(frozen=True)
class Suspects:
    """What cross-validation came to."""

    disputed: list[Reading]
    """Those with a score of :data:`DISPUTED` or more, the most strongly disputed label first."""
    lines: int
    """Labels that were looked at."""
    agreed: int
    """Labels that were read as they stand."""
    skipped: int
    """Lines left out because they could not be used."""
    unjudged: int = 0
    """Labels with a character that neither the base model knows nor the folds teach. None is disputed."""

    @property
    def doubt(self) -> str | None:
        """Why the model cannot tell which labels are wrong, one sentence; None where it can."""
        judged = self.lines - self.unjudged
        if judged and self.agreed >= LEGIBLE * judged:
            return None
        return (
            f"the base model cannot tell which labels are wrong: it reads {self.agreed} of {self.lines} as "
            "they stand"
        )


def find_suspects(
    config: Config,
    folds: int = 3,
    model: str | None = None,
    group_by: str | None = None,
    skip_bad: bool = False,
    reporter: Reporter | None = None,
) -> Suspects:
    """Read every train crop with a head that was trained on the other folds, and dispute its label.

    The probability of a label by a model that has not trained on it tells wrong labels from right ones
    (Northcutt, Jiang and Chuang 2021, "Confident Learning: Estimating Uncertainty in Dataset Labels",
    JAIR 70, arXiv 1911.00068). Here it is CTC's, of the whole text, against that of the text that was read.

    A crop whose label is not read is read upside down as well: a label that is read there is taken to be
    right, so that a 6 labelled as a 9 is not found; and where the crop is read with certainty that way up
    alone, the label is judged so.

    The backbone stays as it is, so that its features are computed once for all folds, and stored. Its head
    starts anew from the base model in every fold; it has seen no label that it judges.

    Args:
        config: the run; its train labels, charset, base model, seed and device are what matters.
        folds: parts that the crops are divided into, 2 or more.
        model: another base model, as a configuration names it.
        group_by: names the photo that a crop is of, as in :func:`linetune.data.groups.group`; crops of one
            photo stay in one fold, as do images that are equal or nearly so.
        skip_bad: go on without lines that cannot be used.
        reporter: told what happens; nobody by default.

    Raises:
        LinetuneError: anything in the configuration or the data that cannot be used.
    """
    reporter = reporter or Silent()
    device = chosen_device(config)
    dtype = chosen_precision(config, device)
    cache.check_writable()
    lines = list(dict.fromkeys(read_labels(*config.data.train)))
    charset = charset_of(config, (line.text for line in lines))
    data = load_dataset(lines, charset, skip_bad, count(reporter, "train crops", len(lines)))
    groups = group(data.lines, group_by, count(reporter, "comparing", len(data)))
    parts = _folds(data.lines, groups, folds)

    base = load_base(
        model or config.base_model, lambda done, total: reporter.progress("weights", done, total)
    )
    reporter.say(f"base model {base.base_model} from {base.source}")
    start = with_charset(base, charset)
    if start.unknown:
        reporter.say(f"the base model has never seen {show(*start.unknown)}")
    network = start.model.network.to(device)
    images = ImageBatches(data, SETTINGS, config.seed, 0, device)
    features = FeatureBatches(network, images, 1, dtype, count(reporter, "features", len(data)))

    readings: list[Reading] = []
    for number, held_out in enumerate(parts, 1):
        others = sorted({*range(len(data))} - {*held_out})
        told = count(reporter, f"fold {number} of {folds}", EPOCHS * len(others))
        trained = _trained(network, features, others, config.seed, told)
        upright = dict(_readings(_held_out(trained, features, held_out), data, charset))
        unread = [crop for crop, reading in upright.items() if not reading.agrees]
        for crop, reading in _readings(_turned(trained, data, unread), data, charset):
            upright[crop] = way_up(upright[crop], reading)
        readings += upright.values()
    found = judge(readings, start.unknown, data.skipped)
    if found.unjudged:
        reporter.say(
            f"{found.unjudged} labels are not judged: they hold characters that the base model has never "
            "seen and that too few crops teach"
        )
    if found.doubt:
        reporter.say(found.doubt)
    return found


def way_up(upright: Reading, turned: Reading) -> Reading:
    """The reading that judges a label: as the crop stands, or upside down where the crop stands so."""
    nothing_said = upright.label_nll >= UNLIKELY and upright.read_nll > CERTAIN
    certain = turned.read != "" and turned.read_nll <= CERTAIN
    return turned if turned.agrees or (nothing_said and certain) else upright


def judge(readings: Sequence[Reading], unknown: Collection[str] = (), skipped: int = 0) -> Suspects:
    """Tell the disputed labels from those that the model is merely unsure of, or cannot read.

    Args:
        readings: one of every label.
        unknown: characters that the base model has no row for.
        skipped: lines that were left out before.
    """
    untaught = {character for character in unknown if not _learnt(character, readings)}
    judged = [reading for reading in readings if not untaught.intersection(reading.line.text)]
    agreed = sum(reading.agrees for reading in judged)
    disputed = sorted((each for each in judged if each.score >= DISPUTED), key=lambda each: -each.score)
    found = Suspects(disputed, len(readings), agreed, skipped, len(readings) - len(judged))
    return replace(found, disputed=[]) if found.doubt else found


def _learnt(character: str, readings: Sequence[Reading]) -> bool:
    read = [reading.agrees for reading in readings if character in reading.line.text]
    return sum(read) >= LEARNT * len(read)


def _folds(lines: Sequence[Line], groups: Sequence[Sequence[int]], folds: int) -> list[list[int]]:
    """Numbers of the lines in each fold; no group stands in two."""
    division = divide(lines, groups, {str(fold): 1 / folds for fold in range(2, folds + 1)})
    numbers = {line: number for number, line in enumerate(lines)}
    return [[numbers[line] for line in fold] for fold in division.splits.values()]


def _trained(
    start: Network,
    features: FeatureBatches,
    members: Sequence[int],
    seed: int,
    progress: Callable[[int], None],
) -> Network:
    """A copy of the network with the averaged weights of a neck and head trained on some of the crops."""
    trainer = Trainer(copy.deepcopy(start), SETTINGS, (seed, 0), torch.float32, SETTINGS.batch_size)
    schedule = InEpochs(SETTINGS, RATE, len(members), len(members))
    for epoch in range(1, EPOCHS + 1):
        for batch in features.epoch(epoch, members):
            trainer.step(batch, epoch, schedule.rate(trainer.at))
            progress(trainer.at.seen)
    return trainer.average.network.eval()


Logits = Iterator[tuple[Sequence[int], Tensor]]
"""(crop numbers, logits) of some crops, a batch at a time."""


@torch.inference_mode()
def _held_out(network: Network, features: FeatureBatches, members: Sequence[int]) -> Logits:
    for crops, batch in features.once(members):
        yield crops.tolist(), network.classify(batch.inputs)


@torch.inference_mode()
def _turned(network: Network, data: Dataset, members: Sequence[int]) -> Logits:
    """Of crops upside down, whose features are not stored."""
    crops = [half_turned(data.crops[i]) for i in members]
    for some, batch in deployed_batches(crops):
        yield [members[i] for i in some], network(torch.from_numpy(batch).to(network.device))


def _readings(batches: Logits, data: Dataset, charset: Charset) -> Iterator[tuple[int, Reading]]:
    """What is read on each crop, and how probable that and the label are."""
    for crops, logits in batches:
        log_probabilities = logits.float().log_softmax(2)
        read = [each.text for each in greedy(log_probabilities.exp().cpu().numpy(), charset)]
        label_nll = ctc_losses(log_probabilities, [data.labels[crop] for crop in crops]).tolist()
        read_nll = ctc_losses(log_probabilities, [charset.encode(text) for text in read]).tolist()
        for crop, *figures in zip(crops, read, label_nll, read_nll, strict=True):
            yield crop, Reading(data.lines[crop], *figures)
