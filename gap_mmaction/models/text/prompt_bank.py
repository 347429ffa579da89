"""PromptBank: reads descriptions, makes texts of them and draws one per sample."""

from __future__ import annotations

import itertools
import logging
import string
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Union

import numpy as np
import torch
import torch.distributed as dist
import torch.nn.functional as F
from torch import Tensor, nn

from gap_mmaction.openmmlab import MODELS, print_log
from gap_mmaction.utils.brief import brief
from gap_mmaction.utils.config_parts import did_you_mean
from gap_mmaction.utils.files import find_shipped_file
from gap_mmaction.utils.randomness import derive_seed
from gap_mmaction.utils.ranks import rank_and_size

from .descriptions import PARTS, ActionDescription, load_descriptions
from .presets import PRESETS

TextItem = Union[str, Sequence[str]]

_SEEDS = 2**63
_KEYS = frozenset(("name", "joints", "text"))


@MODELS.register_module()
class PromptBank(nn.Module):
    """The texts of every class and slot, and which of them a sample gets.

    Where a slot has several texts for a class, one is drawn anew for every sample at
    every step (GAP, section 4.2). The draw depends alone on the seed, the number of the
    step and the sample's place in the batch of all ranks, so that several ranks draw
    what a single one would. Seed and number are kept in the checkpoint.

    Args:
        descriptions: The description file.
        preset: The name of a set of slots, see :data:`.presets.PRESETS`.
        slots: Configs of :class:`PromptSlot`, instead of a preset.
        num_classes: The model's number of classes, for a check.
        seed: Seed of the draw; by default the run's.
        shuffle_classes: Seed by which every class gets the texts of another one, as a
            control of what the texts add.

    ``texts`` is every distinct text, in a fixed order.
    """

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
        self.slots = read_slots(preset, slots)
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
        variants = [[slot.variants(one) for one in actions] for slot in self.slots]
        counts = torch.tensor([[len(texts) for texts in slot] for slot in variants])
        table = torch.zeros(*counts.shape, int(counts.max()), dtype=torch.long)
        index: dict[str, int] = {}
        for k, slot_variants in enumerate(variants):
            first: dict[str, str] = {}
            for c, texts in enumerate(slot_variants):
                for i, text in enumerate(texts):
                    table[k, c, i] = index.setdefault(text, len(index))
                    owner = first.setdefault(text, self.labels[c])
                    if owner != self.labels[c]:
                        print_log(
                            f"{self.descriptions}, prompt slot {self.slots[k].name!r}: "
                            f"classes {owner!r} and {self.labels[c]!r} share the text "
                            f"{text!r}, which cannot set them apart; reword one",
                            logger="current",
                            level=logging.WARNING,
                        )
        self.texts = tuple(index)
        # On the CPU wherever the model is: texts are drawn there.
        self.table, self.counts = table, counts
        self._first_seed = (torch.initial_seed() if seed is None else seed) % _SEEDS
        self.restart()

    def name(self, text: str) -> str:
        """Returns a text with its class and slot, for messages."""
        k, c, _ = (self.table == self.texts.index(text)).nonzero()[0].tolist()
        owner = f"class {self.labels[c]!r}, slot {self.slots[k].name!r}"
        return f"{brief(text)} ({owner})"

    def sample(self, labels: Tensor) -> Tensor:
        """Draws texts, indices ``[B, K]`` into :attr:`texts`, for classes ``[B]``.

        Drawn, and returned, on the CPU: so they are the same on any device.
        """
        labels = labels.cpu()
        counts = self.counts[:, labels]
        # MMEngine's samplers deal out the samples in turn.
        rank, world = rank_and_size()
        of_all_ranks = (len(self.slots), len(labels) * world)
        mixed = self.seed * 1_000_003 * 1_000_003 + self.step
        generator = torch.Generator().manual_seed(mixed % _SEEDS)
        self.step += 1
        drawn = torch.rand(of_all_ranks, generator=generator)
        draws = drawn[:, rank::world]
        choice = (draws * counts).long().minimum(counts - 1)
        slots = torch.arange(len(self.slots))[:, None]
        return self.table[slots, labels, choice].t()

    def get_extra_state(self) -> Tensor:
        """Returns seed and step; as buffers MMEngine would average them over ranks."""
        return torch.tensor([self.seed, self.step])

    def set_extra_state(self, state: Tensor) -> None:
        """Goes on from the seed and step of a checkpoint."""
        self.seed, self.step = state.tolist()

    def restart(self) -> None:
        """Draws from the first step on, by the bank's own seed."""
        self.seed, self.step = self._first_seed, 0

    def share_seed(self) -> None:
        """Takes over the seed of the first rank."""
        seeds = [self.seed]
        if rank_and_size()[1] > 1:
            dist.broadcast_object_list(seeds)
        self.seed = seeds[0]


def class_features(bank: PromptBank, features: Tensor) -> Tensor:
    """Returns one unit feature per slot and class, ``[K, classes, D]``.

    ``features`` are those of the bank's texts, ``[len(bank.texts), D]``. Of several
    texts of a class the mean of their unit features is taken.
    """
    unit = F.normalize(features.float(), dim=-1)
    table, counts = bank.table.to(unit.device), bank.counts.to(unit.device)
    used = torch.arange(table.shape[2], device=unit.device) < counts[..., None]
    return F.normalize((unit[table] * used[..., None]).sum(2), dim=-1)


class MissingFieldError(ValueError):
    """A class of a description file lacks a field that a slot needs."""


@dataclass(frozen=True)
class PromptSlot:
    """A part of the body and where its text comes from.

    ``joints`` is the joint group of the layout that is pooled for it. ``text`` are
    items that are joined by ``', '``: fields of the description file, templates such as
    ``'Human action of "{label}"'``, or lists of either, of which one is drawn.
    """

    name: str
    joints: str
    text: tuple[TextItem, ...]

    @classmethod
    def from_config(cls, config: Mapping[str, Any]) -> PromptSlot:
        """Reads a config, whose keys must be those of the class."""
        if set(config) != _KEYS:
            raise ValueError(
                f"prompt slot {dict(config)!r} must have just the keys {sorted(_KEYS)}"
            )
        text = config["text"]
        items = [text] if isinstance(text, str) else text
        _check_items(items, f"prompt slot {config['name']!r}")
        return cls(str(config["name"]), str(config["joints"]), tuple(items))

    def variants(self, action: ActionDescription) -> list[str]:
        """Returns every text that the slot can give for a class, none twice."""
        choices = [self._item_variants(item, action) for item in self.text]
        texts = (", ".join(parts) for parts in itertools.product(*choices))
        return list(dict.fromkeys(texts))

    def _item_variants(self, item: TextItem, action: ActionDescription) -> list[str]:
        if not isinstance(item, str):
            return [text for one in item for text in self._item_variants(one, action)]
        if "{" not in item:
            return list(self._field(item, action))
        names = _names_in(item)
        values = [self._field(name, action) for name in names]
        return [
            item.format(**dict(zip(names, one))) for one in itertools.product(*values)
        ]

    def _field(self, name: str, action: ActionDescription) -> tuple[str, ...]:
        if name in action.fields:
            return action.fields[name]
        # A part that is missing is no other part, but may be misspelt in the file.
        known = set(action.fields) - set(PARTS if name in PARTS else ())
        raise MissingFieldError(
            f"{action.where}: class {action.label!r} has no field {name!r}, which "
            f"prompt slot {self.name!r} needs; it has {sorted(action.fields)}"
            f"{did_you_mean(name, sorted(known))}. Add the field, take another preset "
            "or slots (model.text_branch.prompts), or put a field in braces behind "
            f"words of your own, such as '{name} {{label}}'"
        )


def _check_items(items: Any, where: str) -> None:
    if not isinstance(items, (list, tuple)) or not items:
        raise ValueError(
            f"{where}: `text` is {items!r}; give the name of a field, a template or a "
            "list of them, which is not empty"
        )
    for item in items:
        if not isinstance(item, str):
            _check_items(item, where)
        elif "{" in item:
            try:
                item.format(**dict.fromkeys(_names_in(item), ""))
            except (LookupError, ValueError, AttributeError) as error:
                raise ValueError(
                    f"{where}: the template {item!r} cannot be filled in ({error!r}); "
                    "write the name of a field in braces, as in '{label}'"
                ) from error


def _names_in(template: str) -> list[str]:
    return [name for _, name, _, _ in string.Formatter().parse(template) if name]


def read_slots(
    preset: str | None, slots: Sequence[Mapping[str, Any]] | None
) -> tuple[PromptSlot, ...]:
    """Returns the slots of a preset, or those that are given instead, checked."""
    if preset is not None and slots is not None:
        raise ValueError(
            f"PromptBank: give `preset` ({preset!r}) or `slots`, not both; "
            "preset=None beside slots takes back an inherited one"
        )
    if slots is None:
        preset = "synonym+parts4" if preset is None else preset
        if preset not in PRESETS:
            raise ValueError(
                f"preset {preset!r} is unknown, use one of {list(PRESETS)} or `slots`"
            )
        slots = PRESETS[preset]
    read = tuple(PromptSlot.from_config(slot) for slot in slots)
    names = [slot.name for slot in read]
    if not read or len(set(names)) != len(names):
        raise ValueError(f"slots: at least one slot, and no name twice: {names}")
    return read


def _derange(count: int, seed: int) -> list[int]:
    """Draws a permutation that leaves nothing in its place."""
    if count == 1:
        raise ValueError("shuffle_classes needs two classes; leave it out with one")
    rng = np.random.default_rng(derive_seed(seed))
    order = np.arange(count)
    while (order == np.arange(count)).any():
        order = rng.permutation(count)
    return [int(i) for i in order]
