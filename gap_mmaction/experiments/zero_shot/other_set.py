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

    Classes that training has are seen ones, by the labels that training has given them.
    The others, which it lacks, follow after all of its classes.

    Attributes:
        configs: The data set's config.
        classes: Names of its classes.
        trained: Names of the classes of training.
        places: Of each of its classes among the seen and the lacking ones.
    """

    configs: ZeroShotConfigs
    classes: tuple[str, ...]
    trained: tuple[str, ...]
    places: tuple[int, ...]

    @property
    def name(self) -> str:
        """A name for files and tables."""
        return self.configs.config.stem

    @property
    def features(self) -> str | None:
        """The file of its text features."""
        found: str | None = self.configs.settings["model"]["text_branch"].get(
            "features"
        )
        return found

    @property
    def lacking(self) -> tuple[str, ...]:
        """Names of the classes that training lacks."""
        count = len(self.trained)
        return tuple(c for c, p in zip(self.classes, self.places) if p >= count)

    @property
    def split(self) -> ClassSplit:
        """All classes of training, seen, and the lacking ones, unseen."""
        count = len(self.trained)
        total = count + len(self.lacking)
        return ClassSplit(total, tuple(range(count, total)))

    @property
    def title(self) -> str:
        """Say which classes are lacking, and which are the same as which."""
        seen = [
            name if name == self.trained[place] else f"{name} = {self.trained[place]}"
            for name, place in zip(self.classes, self.places)
            if place < len(self.trained)
        ]
        lacking = ", ".join(self.lacking)
        return f"{self.name}: {lacking} (trained on: {', '.join(seen)})"

    def join(
        self, held_out: ClipFeatures, test: ClipFeatures
    ) -> tuple[ClipFeatures, ClipFeatures]:
        """Compare clips with the texts of all classes of :attr:`split`.

        Args:
            held_out: Clips and texts of the classes of training.
            test: Those of this data set.

        Returns:
            The same clips, with all of these texts.
        """
        new = [place >= len(self.trained) for place in self.places]
        texts = torch.cat([held_out.class_features, test.class_features[new]])
        classes = (*self.trained, *self.lacking)
        labels = np.array(self.places)[test.labels]
        return (
            replace(held_out, classes=classes, class_features=texts),
            replace(test, labels=labels, classes=classes, class_features=texts),
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
        ValueError: If one has other joints or too few classes that training lacks, all
            of them, or two have one name; or if there is no such class in ``same``.
    """
    names, *theirs = (
        tuple(load_class_names(str(item.descriptions), item.num_classes))
        for item in (trained, *others)
    )
    for index, known in enumerate((names, tuple(n for row in theirs for n in row))):
        absent = [pair[index] for pair in same if pair[index] not in known]
        if absent:
            raise ValueError(
                f"--same: there is no class {absent[0]!r} in "
                f"{'the other sets' if index else trained.config}, which have "
                f"{', '.join(known)}"
            )
    found = []
    for configs, classes in zip(others, theirs):
        if configs.layout != trained.layout:
            raise ValueError(
                f"{configs.config}: its joints are those of {configs.layout}, "
                f"{trained.config} has {trained.layout}; they must be the same"
            )
        as_trained = {other: own for own, other in same}
        places, total = [], len(names)
        for name in classes:
            own = as_trained.get(name, name)
            places.append(names.index(own) if own in names else total)
            total += own not in names
        other = OtherSet(configs, classes, names, tuple(places))
        if not 2 <= len(other.lacking) < len(classes):
            raise ValueError(
                f"{other.title}: at least two classes must be lacking, to be told "
                "apart, and one must be trained on (see --same)"
            )
        found.append(other)
    if len({other.name for other in found}) < len(found):
        raise ValueError("--across: two configs have one name")
    return found
