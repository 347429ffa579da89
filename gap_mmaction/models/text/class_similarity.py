"""How alike the texts of the classes are."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from .prompt_bank import PromptBank


def class_features(bank: PromptBank, features: Tensor) -> Tensor:
    """Give each class one unit feature per slot.

    Where a slot has several texts for a class, the mean of their unit features stands
    for it.

    Args:
        bank: The prompt bank.
        features: Features ``[len(bank.texts), D]`` of its texts.

    Returns:
        ``[K, classes, D]``, K slots, of norm 1.
    """
    unit = F.normalize(features.float(), dim=-1)
    table, counts = bank.table.to(unit.device), bank.counts.to(unit.device)
    used = torch.arange(table.shape[2], device=unit.device) < counts[..., None]
    return F.normalize((unit[table] * used[..., None]).sum(2), dim=-1)


def class_similarity(bank: PromptBank, features: Tensor) -> Tensor:
    """Compute the cosine between the texts of every two classes, slot by slot.

    Args:
        bank: The prompt bank.
        features: Features ``[len(bank.texts), D]`` of its texts.

    Returns:
        ``[K, classes, classes]``, K slots.
    """
    means = class_features(bank, features)
    return means @ means.mT


def nearest_pairs(similarity: Tensor, count: int) -> list[tuple[int, int, float]]:
    """List the most similar pairs of classes.

    Args:
        similarity: ``[classes, classes]``, symmetric.
        count: How many pairs to give at most.

    Returns:
        Two class indices, the smaller first, and their similarity; most similar first.
    """
    rows, columns = torch.triu_indices(len(similarity), len(similarity), 1)
    values, order = similarity[rows, columns].sort(descending=True, stable=True)
    return [
        (int(rows[i]), int(columns[i]), float(value))
        for value, i in zip(values[:count], order[:count])
    ]
