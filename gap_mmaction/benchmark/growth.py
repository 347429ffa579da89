"""How the cost of a tuned text encoder grows with classes, parts and synonyms."""

from __future__ import annotations

import statistics
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from gap_mmaction.models import OpenCLIPTextEncoder, PromptBank
from gap_mmaction.models.text.descriptions import load_descriptions, write_descriptions
from gap_mmaction.utils.paths import find_shipped_file

from .measure import milliseconds
from .text import DistinctTexts, EverySample

SOURCE = "data/descriptions/ntu120.yaml"


@dataclass(frozen=True)
class Setting:
    """What the texts of a model are.

    Attributes:
        preset: The slots, see :data:`gap_mmaction.models.text.presets.PRESETS`.
        synonyms: Synonyms of each class.
    """

    preset: str
    synonyms: int

    def __str__(self) -> str:
        plural = "" if self.synonyms == 1 else "s"
        return f"{self.preset}, {self.synonyms} synonym{plural}"


@dataclass(frozen=True)
class Cost:
    """What a batch costs.

    Attributes:
        setting: Its texts.
        classes: How many classes there are.
        slots: Texts K of a sample.
        distinct: Distinct texts of a batch, in the mean.
        ms: Milliseconds of encoding them, forward and backward, the median.
        every_ms: The same for all ``B * K`` texts at full length; ``None`` where it
            was not measured.
    """

    setting: Setting
    classes: int
    slots: int
    distinct: float
    ms: float
    every_ms: float | None


def measure_growth(
    model: str,
    settings: Sequence[Setting],
    classes: Sequence[int],
    samples: int,
    repeats: int,
    device: torch.device,
) -> Iterator[Cost]:
    """Measure batches of random classes.

    Args:
        model: A model of open_clip, whose text tower gets random weights.
        settings: The kinds of texts.
        classes: The numbers of classes.
        samples: Samples B of a batch.
        repeats: Batches of each kind.
        device: Where.

    Yields:
        The cost of each setting and number of classes.
    """
    torch.manual_seed(0)
    encoder = OpenCLIPTextEncoder(model, pretrained=None).to(device)
    for setting in settings:
        for count in classes:
            bank = _bank(setting, count)
            tokens = encoder.tokenize(bank.texts)
            times, distinct = [], []
            for _ in range(repeats + 1):
                ids = bank.sample(torch.randint(count, (samples,)))
                distinct.append(len(ids.unique()))
                work = DistinctTexts(encoder, tokens, ids, amp=False)
                times.append(milliseconds(work, device))
            every_ms = None
            if count == classes[-1]:
                work = EverySample(encoder, tokens, ids, amp=False)
                every_ms = milliseconds(work, device)
            yield Cost(
                setting,
                count,
                len(bank.slots),
                statistics.mean(distinct),
                # The first one warms up.
                statistics.median(times[1:]),
                every_ms,
            )


def make_classes(count: int, synonyms: int) -> list[dict[str, Any]]:
    """Make any number of described classes, by combining those that ship.

    Args:
        count: How many.
        synonyms: Synonyms of each, ten at most.

    Returns:
        The fields of each class.
    """
    actions = load_descriptions(find_shipped_file(SOURCE))
    made = []
    for i in range(count):
        first, again = actions[i % len(actions)], i // len(actions)
        # A class beyond those that ship is one of them followed by another.
        then = f" and {actions[(i + 7 * again) % len(actions)].label}" if again else ""
        made.append(
            {
                "label": first.label + then,
                "synonyms": [s + then for s in first.fields["synonyms"][:synonyms]],
                **{
                    field: texts[0]
                    for field, texts in first.fields.items()
                    if field in ("head", "hand", "arm", "hip", "leg", "foot")
                },
            }
        )
    return made


def _bank(setting: Setting, classes: int) -> PromptBank:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "made.yaml"
        write_descriptions(path, "made", make_classes(classes, setting.synonyms))
        return PromptBank(str(path), preset=setting.preset, seed=0)
