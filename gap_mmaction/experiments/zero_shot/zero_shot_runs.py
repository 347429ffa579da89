"""The trainings of a zero-shot experiment, and naming clips by their models."""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from mmaction.registry import MODELS
from torch import Tensor

from gap_mmaction.apis import (
    ClipFeatures,
    PartSimilarity,
    SkeletonInferencer,
    extract_features,
)
from gap_mmaction.apis.clip_features import read_labels
from gap_mmaction.models.text.cached_encoder import CachedTextEncoder
from gap_mmaction.models.text.prompt_bank import class_features
from gap_mmaction.models.text.text_encoder import build_frozen_encoder

from ..launcher import Launcher
from ..runs import Run, make_runs
from .unseen_classes import HELD_OUT, ClassSplit, OtherSet, ZeroShotConfigs
from .zero_shot_text import SplitResult, evaluate_split


class _Training(NamedTuple):
    split: ClassSplit
    run: Run
    data: Path
    files: list[Path]

    @property
    def has_ended(self) -> bool:
        return self.run.result is not None and all(f.is_file() for f in self.files)


@dataclass
class ZeroShotExperiment:
    """A training for each split of the classes, in a work dir.

    A run's folder, ``runs/SPLIT/seedS``, is like those of ``tools/reproduce.py``, with
    ``held_out.safetensors`` and ``test.safetensors``, the features of clips and of all
    classes' texts, in place of scores.

    ``device`` and ``batch_size`` are those of scoring. The classes of ``others``, with
    features in ``test_CONFIG.safetensors``, are named in place of the unseen ones of
    the splits, which then have none. A ValueError says that settings and data do not
    fit, or that a run's folder is another one's.
    """

    splits: Sequence[ClassSplit]
    seed: int
    work_dir: Path
    configs: ZeroShotConfigs
    launcher: Launcher
    device: str = "cpu"
    batch_size: int = 32
    others: Sequence[OtherSet] = ()

    def __post_init__(self) -> None:
        """Writes the data of the trainings, and looks at what is there of these."""
        self.trainings: dict[str, _Training] = {}
        others = [f"test_{other.configs.config.stem}" for other in self.others]
        for split in self.splits:
            config, data = self.configs.make(split, self.work_dir / "data")
            name = f"runs/{split.name}/seed{self.seed}"
            run = Run(self.work_dir, name, self.seed, config)
            names = ("held_out", "test", *others)
            files = [run.path / f"{name}.safetensors" for name in names]
            self.trainings[run.name] = _Training(split, run, data, files)

    def run(self, ended: Callable[[Run], object]) -> list[str]:
        """Runs what is missing and tells each; a line for each run that has failed."""
        left = [item.run for item in self.trainings.values() if not item.has_ended]
        return make_runs(left, self.launcher, self._score, ended)

    def results(
        self, weights: Sequence[float] | None = None, max_loss: float = 0.1
    ) -> list[SplitResult]:
        """Evaluates the runs that have ended, see :func:`.evaluate_split`."""
        results, how = [], (weights, max_loss)
        for item in self.trainings.values():
            if item.has_ended:
                held_out, test, *tests = map(ClipFeatures.load, item.files)
                for other, clips in zip(self.others, tests):
                    data = (other.split, *other.join(held_out, clips))
                    results.append(evaluate_split(*data, *how, title=other.title))
                if not self.others:
                    results.append(evaluate_split(item.split, held_out, test, *how))
        return results

    def _score(self, run: Run, checkpoint: Path) -> dict[str, Any]:
        """Computes the features of all clips, and writes their files."""
        split, _, data, files = self.trainings[run.name]
        inferencer = SkeletonInferencer(
            run.config.settings, checkpoint, self.device, batch_size=self.batch_size
        )
        sets = (self.configs, *(other.configs for other in self.others))
        requests = [
            (self.configs, data, HELD_OUT, split.seen),
            *((s, s.ann_file, s.test_split, tuple(range(s.num_classes))) for s in sets),
        ]
        branch = run.config.settings.model.text_branch
        texts = functools.cache(lambda of: _encode_classes(inferencer, branch, of))
        for file, (of, ann_file, part, classes) in zip(files, requests):
            where = f"annotation file {ann_file}, split '{part}'"
            annotations = inferencer.read(str(ann_file), where, part)
            labels = read_labels(annotations, len(classes), where)
            if (labels < 0).any():
                first = annotations[int((labels < 0).argmax())]["frame_dir"]
                raise ValueError(f"{where}: clips have no label, the first is {first}")
            similarity, names, of_classes = texts(of)
            ClipFeatures(
                names=tuple(item["frame_dir"] for item in annotations),
                labels=np.array(classes)[labels],
                features=extract_features(inferencer, similarity, annotations, where),
                parts=similarity.parts,
                classes=names,
                class_features=of_classes,
                source={"checkpoint": str(checkpoint), "annotations": where},
            ).save(file)
            print(f"scored {len(annotations)} clips for {file}", flush=True)
        return {"checkpoint": checkpoint.name}


def _encode_classes(
    inferencer: SkeletonInferencer, branch: Mapping[str, Any], of: ZeroShotConfigs
) -> tuple[PartSimilarity, tuple[str, ...], Tensor]:
    """Encodes the texts of all classes as those of the seen ones were in training."""
    cached = branch.get("features")
    similarity = inferencer.load_text_branch()
    if similarity.branch.encoder is None:
        similarity = inferencer.load_text_branch(
            build_frozen_encoder(branch["encoder"])
            if cached is None
            else CachedTextEncoder(cached)
        )
    prompts = {"type": "PromptBank", **branch["prompts"]}
    bank = MODELS.build({**prompts, "descriptions": str(of.descriptions)})
    if cached is None or of.features in (None, cached):
        return similarity, bank.labels, similarity.class_features(bank=bank).cpu()
    encoder = CachedTextEncoder(of.features)
    if encoder.file.encoder != CachedTextEncoder(cached).file.encoder:
        what = f"another encoder than {cached}, which the model was trained with"
        raise ValueError(f"{of.features} was made by {what}: {encoder.file.encoder}")
    texts = class_features(bank, encoder.encode(bank.texts)).transpose(0, 1)
    return similarity, bank.labels, texts
