"""The trainings of a zero-shot experiment, and naming clips by their models."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from mmaction.registry import MODELS
from mmengine.config import Config

from gap_mmaction.apis import ClipFeatures, SkeletonInferencer, extract_features
from gap_mmaction.apis.feature_extraction import read_labels
from gap_mmaction.models.text.cached_encoder import CachedTextEncoder
from gap_mmaction.models.text.class_similarity import class_features
from gap_mmaction.models.text.frozen_encoder import build_frozen_encoder
from gap_mmaction.models.text.prompt_bank import PromptBank

from ..launcher import Launcher
from ..runs import Run, make_runs
from .class_split import HELD_OUT, ClassSplit
from .unseen_configs import OtherSet, ZeroShotConfigs
from .zero_shot_text import SplitResult, evaluate_split


class ClassNamer:
    """Compares clips with the texts of all classes, the unseen ones included.

    The texts of the unseen classes are encoded as those of the seen ones were: by the
    file of features that the config names, by the frozen encoder, or by the one that
    the model has tuned.

    Args:
        config: The config of the training.
        checkpoint: Its checkpoint.
        descriptions: The description file of all classes.
        device: Where the model runs.
        batch_size: Clips that go through it together.
        features: The file of their text features, where it is not the config's.

    Raises:
        FileNotFoundError: If a file is not there.
        ValueError: If config and checkpoint do not fit, the file of features lacks
            texts of unseen classes, or another encoder has made it.
    """

    def __init__(
        self,
        config: Config,
        checkpoint: Path,
        descriptions: Path,
        device: str = "cpu",
        batch_size: int = 32,
        features: str | None = None,
    ) -> None:
        self.inferencer = SkeletonInferencer(
            config, checkpoint, device, batch_size=batch_size
        )
        self.similarity = self.inferencer.load_text_branch()
        branch = config.model.text_branch
        cached = branch.get("features")
        if self.similarity.branch.encoder is None:
            self.similarity = self.inferencer.load_text_branch(
                CachedTextEncoder(cached)
                if cached is not None
                else build_frozen_encoder(branch["encoder"])
            )
        prompts = {"type": "PromptBank", **branch.prompts}
        self.bank: PromptBank = MODELS.build(
            {**prompts, "descriptions": str(descriptions)}
        )
        if cached is None or features in (None, cached):
            self.class_features = self.similarity.class_features(bank=self.bank).cpu()
            return
        other = CachedTextEncoder(str(features))
        if other.file.encoder != CachedTextEncoder(cached).file.encoder:
            raise ValueError(
                f"{features} was made by another encoder than {cached}, which the "
                f"model was trained with: {other.file.encoder}"
            )
        texts = class_features(self.bank, other.encode(self.bank.texts))
        self.class_features = texts.transpose(0, 1)

    def clips(self, ann_file: Path, split: str, classes: Sequence[int]) -> ClipFeatures:
        """Computes the features of a split's clips.

        Args:
            ann_file: The annotation file.
            split: The split.
            classes: The class that each label in the file stands for.

        Raises:
            ValueError: If a clip has no label, or does not fit the config.
        """
        where = f"annotation file {ann_file}, split '{split}'"
        annotations = self.inferencer.read(str(ann_file), where, split)
        labels = read_labels(annotations, len(classes), where)
        if (labels < 0).any():
            first = annotations[int((labels < 0).argmax())]["frame_dir"]
            raise ValueError(
                f"{where}: {int((labels < 0).sum())} clips have no label, the first is "
                f"{first}"
            )
        return ClipFeatures(
            names=tuple(item["frame_dir"] for item in annotations),
            labels=np.array(classes)[labels],
            features=extract_features(
                self.inferencer, self.similarity, annotations, where
            ),
            parts=self.similarity.parts,
            classes=self.bank.labels,
            class_features=self.class_features,
            source={
                "checkpoint": str(self.inferencer.checkpoint),
                "annotations": where,
            },
        )


class _Training(NamedTuple):
    split: ClassSplit
    run: Run
    data: Path
    files: list[Path]

    @property
    def has_ended(self) -> bool:
        return self.run.result is not None and all(f.is_file() for f in self.files)


class ZeroShotExperiment:
    """A training for each split of the classes, in a work dir.

    A run's folder, ``runs/SPLIT/seedS``, is like those of ``tools/reproduce.py``, with
    ``held_out.safetensors`` and ``test.safetensors``, the features of clips and of all
    classes' texts, in place of scores.

    Args:
        splits: The splits.
        seed: Seed of the trainings.
        work_dir: The work dir, an absolute path.
        configs: Makes the configs.
        launcher: Starts trainings.
        device: Where clips are scored.
        batch_size: Clips that are scored together.
        others: Data sets to name the classes of, in place of the unseen ones of the
            splits, which then have none; in ``test_CONFIG.safetensors``.
        say: Where to report to.

    Raises:
        FileNotFoundError: If a file is not there.
        ValueError: If config, options and data do not fit one another, or the folder
            of a run is another one's.
    """

    def __init__(
        self,
        splits: Sequence[ClassSplit],
        seed: int,
        work_dir: Path,
        configs: ZeroShotConfigs,
        launcher: Launcher,
        device: str = "cpu",
        batch_size: int = 32,
        others: Sequence[OtherSet] = (),
        say: Callable[[str], None] = print,
    ) -> None:
        self.configs = configs
        self.launcher = launcher
        self.device = device
        self.batch_size = batch_size
        self.others = others
        self.say = say
        self.trainings: dict[str, _Training] = {}
        names = ["held_out", "test", *(f"test_{o.configs.config.stem}" for o in others)]
        for split in splits:
            config, data = configs.make(split, work_dir / "data")
            run = Run(work_dir, f"runs/{split.name}/seed{seed}", seed, config)
            files = [run.path / f"{name}.safetensors" for name in names]
            self.trainings[run.name] = _Training(split, run, data, files)

    def run(self, ended: Callable[[], object]) -> list[str]:
        """Runs what is missing.

        Args:
            ended: Called after each run that has ended.

        Returns:
            A line for each run that has failed.
        """
        left = [item.run for item in self.trainings.values() if not item.has_ended]
        return make_runs(
            left, self.launcher, self._score, lambda run: ended(), self.say
        )

    def results(
        self, weights: Sequence[float] | None = None, max_loss: float = 0.1
    ) -> list[SplitResult]:
        """Evaluates the runs that have ended.

        Args:
            weights: Of the slots.
            max_loss: For the factor of calibrated stacking.

        Returns:
            A result for each, in the order of the splits, or of the other data sets.

        Raises:
            ValueError: If weights or files do not fit.
        """
        results = []
        for item in self.trainings.values():
            if not item.has_ended:
                continue
            held_out, test, *tests = map(ClipFeatures.load, item.files)
            for other, clips in zip(self.others, tests):
                joined = other.join(held_out, clips)
                title = other.title
                results.append(
                    evaluate_split(other.split, *joined, weights, max_loss, title)
                )
            if not self.others:
                results.append(
                    evaluate_split(item.split, held_out, test, weights, max_loss)
                )
        return results

    def _score(self, run: Run, checkpoint: Path) -> dict[str, Any]:
        """Computes the features of all clips, and writes their files."""
        split, _, data, files = self.trainings[run.name]
        configs = [self.configs, *(other.configs for other in self.others)]
        for of, file in zip(configs, files[1:]):
            namer = ClassNamer(
                *(run.config.settings, checkpoint, of.descriptions),
                *(self.device, self.batch_size, of.features),
            )
            if of is self.configs:
                namer.clips(data, HELD_OUT, split.seen).save(files[0])
            clips = namer.clips(of.ann_file, of.test_split, range(of.num_classes))
            clips.save(file)
            self.say(f"{run.name}: scored {len(clips.names)} clips for {file.name}")
        return {"checkpoint": checkpoint.name}
