"""PromptBank: reads descriptions, makes texts of them and draws one per sample."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
from mmaction.registry import MODELS
from mmengine.dist import broadcast, get_rank, get_world_size
from mmengine.logging import print_log
from torch import Tensor, nn

from gap_mmaction.utils.brief import brief
from gap_mmaction.utils.paths import find_shipped_file
from gap_mmaction.utils.randomness import derive_seed

from .descriptions import load_descriptions
from .presets import PRESETS
from .prompt_slot import PromptSlot

_SEEDS = 2**63


@MODELS.register_module()
class PromptBank(nn.Module):
    """The texts of every class and slot, and which of them a sample gets.

    Where a slot has several texts for a class (synonyms, templates, several
    descriptions), one is drawn anew for every sample at every step (GAP, section 4.2).
    The draw depends on the seed, the number of the step and the sample's place in the
    batch of all ranks alone. Seed and number are kept in the checkpoint, so that a
    resumed run draws as an uninterrupted one would; and several ranks draw for a batch
    what a single one would.

    Args:
        descriptions: The description file.
        preset: The name of a set of slots, see
            :data:`gap_mmaction.models.text.presets.PRESETS`.
        slots: Slots of one's own instead of a preset: dicts with ``name``, ``joints``
            and ``text``, see :class:`PromptSlot`.
        num_classes: The model's number of classes, for a check.
        seed: Seed of the draw; by default the run's.
        shuffle_classes: Gives every class the texts of another one, drawn with this
            seed, as a control of what the texts add. Defaults to None: its own.

    Attributes:
        texts: Every distinct text, in a fixed order.

    Raises:
        FileNotFoundError: If the description file is not there.
        ValueError: If the file breaks the schema, has another number of classes,
            lacks a field that a slot needs, or the preset is unknown.

    Examples:
        >>> bank = PromptBank('data/descriptions/nwucla.yaml')
        >>> ids = bank.sample(torch.tensor([3, 3]))
        >>> [bank.texts[i] for i in ids[0]][1]
        'walk around, ...'
    """

    table: Tensor
    counts: Tensor

    def __init__(
        self,
        descriptions: str,
        preset: str | None = None,
        slots: Sequence[Mapping[str, Any]] | None = None,
        num_classes: int | None = None,
        seed: int | None = None,
        shuffle_classes: int | None = None,
    ) -> None:
        super().__init__()
        self.slots = _read_slots(preset, slots)
        self.descriptions = find_shipped_file(descriptions)
        actions = load_descriptions(self.descriptions)
        if num_classes is not None and len(actions) != num_classes:
            raise ValueError(
                f"{self.descriptions} describes {len(actions)} classes, the model has "
                f"num_classes={num_classes} (model.cls_head). Describe each class "
                "once, in the order of the labels, or correct num_classes"
            )
        self.labels = tuple(action.label for action in actions)
        if shuffle_classes is not None:
            actions = [actions[i] for i in _derange(len(actions), shuffle_classes)]
        variants = [
            [slot.variants(action) for action in actions] for slot in self.slots
        ]
        self._warn_of_shared_texts(variants)
        every = (text for slot in variants for texts in slot for text in texts)
        index = {text: i for i, text in enumerate(dict.fromkeys(every))}
        self.texts = tuple(index)
        counts = torch.tensor([[len(texts) for texts in slot] for slot in variants])
        table = torch.zeros(*counts.shape, int(counts.max()), dtype=torch.long)
        for k, slot_variants in enumerate(variants):
            for c, texts in enumerate(slot_variants):
                table[k, c, : len(texts)] = torch.tensor([index[t] for t in texts])
        self.register_buffer("table", table, persistent=False)
        self.register_buffer("counts", counts, persistent=False)
        self.seed = (torch.initial_seed() if seed is None else seed) % _SEEDS
        self.step = 0

    def _warn_of_shared_texts(self, variants: Sequence[Sequence[list[str]]]) -> None:
        """Tell of texts that two classes have, which the loss cannot set apart."""
        for slot, of_classes in zip(self.slots, variants):
            first: dict[str, str] = {}
            for label, texts in zip(self.labels, of_classes):
                for text in texts:
                    if first.setdefault(text, label) != label:
                        print_log(
                            f"{self.descriptions}, prompt slot {slot.name!r}: classes "
                            f"{first[text]!r} and {label!r} share the text {text!r}, "
                            "which cannot set them apart; reword one of them",
                            logger="current",
                            level=logging.WARNING,
                        )

    def name(self, text: str) -> str:
        """Say whose text it is, for messages."""
        k, c, _ = (self.table == self.texts.index(text)).nonzero()[0].tolist()
        owner = f"class {self.labels[c]!r}, slot {self.slots[k].name!r}"
        return f"{brief(text)} ({owner})"

    def sample(self, labels: Tensor) -> Tensor:
        """Draw a text for every sample and slot.

        Args:
            labels: Class indices ``[B]``.

        Returns:
            Indices ``[B, K]`` into :attr:`texts`.
        """
        counts = self.counts[:, labels]
        # Drawn on the CPU for the same texts on any device, hence independent of the
        # labels' values: no device has to wait for the other.
        # MMEngine's samplers deal out the samples to the ranks in turn.
        everybody = (len(self.slots), len(labels) * get_world_size())
        drawn = torch.rand(everybody, generator=self._generator())
        draws = drawn[:, get_rank() :: get_world_size()]
        choice = (draws.to(counts.device) * counts).long().minimum(counts - 1)
        slots = torch.arange(len(self.slots), device=labels.device)[:, None]
        return self.table[slots, labels, choice].t()

    def get_extra_state(self) -> Tensor:
        """Give seed and step for a checkpoint.

        They are no buffer, as MMEngine averages buffers over the ranks.
        """
        return torch.tensor([self.seed, self.step])

    def set_extra_state(self, state: Tensor) -> None:
        """Go on from the seed and step of a checkpoint."""
        self.seed, self.step = state.tolist()

    def share_seed(self) -> None:
        """Takes over the seed of the first rank."""
        # On the device of the model: nccl takes no other.
        seed = torch.tensor([self.seed], device=self.counts.device)
        broadcast(seed)
        self.seed = int(seed)

    def _generator(self) -> torch.Generator:
        mixed = self.seed * 1_000_003 * 1_000_003 + self.step
        self.step += 1
        return torch.Generator().manual_seed(mixed % _SEEDS)


def _derange(count: int, seed: int) -> list[int]:
    """Draw a permutation that leaves nothing in its place."""
    if count == 1:
        raise ValueError(
            "PromptBank: shuffle_classes needs two classes; leave it out with one"
        )
    rng = np.random.default_rng(derive_seed(seed))
    while True:
        order = rng.permutation(count)
        if (order != np.arange(count)).all():
            found: list[int] = order.tolist()
            return found


def _read_slots(
    preset: str | None, slots: Sequence[Mapping[str, Any]] | None
) -> tuple[PromptSlot, ...]:
    if preset is not None and slots is not None:
        raise ValueError(
            f"PromptBank: give `preset` ({preset!r}) or `slots`, not both. Where the "
            "config that you inherit sets the preset, write preset=None beside slots"
        )
    if slots is None:
        name = "synonym+parts4" if preset is None else preset
        if name not in PRESETS:
            raise ValueError(
                f"PromptBank: preset {name!r} is unknown, use one of {list(PRESETS)} "
                "or give `slots`"
            )
        slots = PRESETS[name]
    read = tuple(PromptSlot.from_config(slot) for slot in slots)
    names = [slot.name for slot in read]
    if not read or len(set(names)) != len(names):
        raise ValueError(
            f"PromptBank: there must be at least one slot, and no name twice: {names}"
        )
    return read
