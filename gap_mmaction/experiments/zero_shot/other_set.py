"""A data set whose classes are named by a training on another one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch

from gap_mmaction.apis import ClipFeatures
from gap_mmaction.evaluation.class_names import load_class_names

from .class_split import ClassSplit
from .run_configs import ZeroShotConfigs


@dataclass(frozen=True)
class OtherSet:
    """A data set of the same joints, of which nothing is trained on.

    Attributes:
        configs: Its config.
        title: Which of its classes training lacks, and which it has.
        classes: Names of the classes of training, and after them of the lacking ones.
        places: Of each of its classes among these.
        split: These classes, the lacking ones unseen.
    """

    configs: ZeroShotConfigs
    title: str
    classes: tuple[str, ...]
    places: tuple[int, ...]
    split: ClassSplit

    def join(
        self, held_out: ClipFeatures, test: ClipFeatures
    ) -> tuple[ClipFeatures, ClipFeatures]:
        """Give clips of training and of this data set the texts of all classes."""
        new = np.isin(self.places, self.split.unseen)
        texts = torch.cat([held_out.class_features, test.class_features[new]])
        labels = np.array(self.places)[test.labels]
        return (
            replace(held_out, classes=self.classes, class_features=texts),
            replace(test, labels=labels, classes=self.classes, class_features=texts),
        )


def match_sets(
    trained: ZeroShotConfigs,
    others: Sequence[ZeroShotConfigs],
    same: Sequence[tuple[str, str]] = (),
) -> list[OtherSet]:
    """Find out which classes of other data sets a training lacks, by their labels.

    Args:
        trained: The config of the training.
        others: Those of the others.
        same: Further classes that are the same in other words: of training, of others.

    Returns:
        The others.

    Raises:
        ValueError: If one has other joints, or training lacks too few or all of its
            classes; if two have one name, or there is no such class in ``same``.
    """
    if len({item.config.stem for item in others}) < len(others):
        raise ValueError("the configs of the other sets must have different names")
    own, *theirs = (
        tuple(load_class_names(str(item.descriptions), item.num_classes))
        for item in (trained, *others)
    )
    for first, second in same:
        if first not in own or not any(second in names for names in theirs):
            raise ValueError(
                f"--same {first}={second}: must be a class of {trained.config} "
                f"({', '.join(own)}), and one of another set"
            )
    words = {second: first for first, second in same}
    found = []
    for configs, names in zip(others, theirs):
        if configs.layout != trained.layout:
            raise ValueError(
                f"{configs.config}: its joints are those of {configs.layout}, "
                f"{trained.config} has {trained.layout}; they must be the same"
            )
        lacking = [name for name in names if words.get(name, name) not in own]
        title = f"{configs.config.stem}: {', '.join(lacking)} (trained on: " + (
            ", ".join(words.get(name, name) for name in names if name not in lacking)
            + ")"
        )
        if not 2 <= len(lacking) < len(names):
            raise ValueError(
                f"{title}: at least two classes must be lacking, to be told apart, and "
                "one must be trained on (see --same)"
            )
        classes = (*own, *lacking)
        places = tuple(classes.index(words.get(name, name)) for name in names)
        split = ClassSplit(len(classes), tuple(range(len(own), len(classes))))
        found.append(OtherSet(configs, title, classes, places, split))
    return found
