"""All trainings of a zero-shot experiment: what is missing is run, in order."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Callable

from mmengine.config import Config

from gap_mmaction.apis import ClipFeatures

from ..launcher import Launcher
from ..run_config import RunConfig, parse_options
from ..run_folder import RunFolder
from ..run_record import RunRecord
from ..running import running
from ..trainer import RunFailedError, Trainer
from ..versions import collect_versions
from .class_split import ClassSplit
from .naming import ClassNamer
from .other_set import OtherSet
from .run_configs import ZeroShotConfigs
from .run_spec import ZeroShotSpec
from .seen_data import SeenData
from .split_result import SplitResult, evaluate_split


@dataclass(frozen=True)
class _Planned:
    spec: ZeroShotSpec
    config: RunConfig
    data: SeenData
    folder: RunFolder
    record: RunRecord | None
    tests: list[Path]

    @property
    def held_out(self) -> Path:
        return self.folder.path / "held_out.safetensors"

    @property
    def has_ended(self) -> bool:
        files = all(file.is_file() for file in (self.held_out, *self.tests))
        return files and self.record is not None and self.record.has_ended


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
        say: Where to report to.
        interval: Seconds between two notes of the time that a run has taken.
        others: Data sets to name the classes of, in place of the unseen ones of the
            splits, which then have none; in ``test_CONFIG.safetensors``.
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
        say: Callable[[str], None] = print,
        interval: float = 30.0,
        others: Sequence[OtherSet] = (),
    ) -> None:
        self.specs = [ZeroShotSpec(split, seed) for split in splits]
        self.work_dir = work_dir
        self.configs = configs
        self.trainer = Trainer(launcher, say, interval)
        self.device = device
        self.batch_size = batch_size
        self.say = say
        self.others = others

    def run(
        self,
        keep_open: Sequence[int] = (),
        done: Callable[[], object] | None = None,
    ) -> int:
        """Run what is missing; a run that fails does not keep others from running.

        Args:
            keep_open: File descriptors for the processes to inherit, those of the lock.
            done: Called after each run that has ended.

        Returns:
            How many runs have failed.

        Raises:
            FileNotFoundError: If a file is not there.
            Interrupted: If a signal asks to stop; the run that it hits can be resumed.
            RunFolderError: If the folder of a run is another one's.
            ValueError: If config, options and data do not fit one another.
        """
        planned = self._plan()
        versions = collect_versions()
        failed = 0
        for number, item in enumerate(planned, start=1):
            if item.has_ended:
                continue
            head = f"[{number}/{len(planned)}] {item.spec}"
            try:
                self._run_one(item, versions, head, keep_open)
            except RunFailedError as error:
                failed += 1
                self.say(f"{head}: failed: {error} (log: {error.log})")
                continue
            if done is not None:
                done()
        return failed

    def results(
        self, weights: Sequence[float] | None = None, max_loss: float = 0.1
    ) -> list[SplitResult]:
        """Evaluate the runs that have ended.

        Args:
            weights: Of the slots.
            max_loss: For the factor of calibrated stacking.

        Returns:
            A result for each, in the order of the splits, or of the other data sets.

        Raises:
            ValueError: If weights or files do not fit.
        """
        results = []
        for item in self._plan():
            if not item.has_ended:
                continue
            held_out, test, *tests = map(
                ClipFeatures.load, (item.held_out, *item.tests)
            )
            if self.others:
                results += [
                    evaluate_split(
                        *(other.split, *other.join(held_out, clips), weights, max_loss),
                        title=other.title,
                    )
                    for other, clips in zip(self.others, tests)
                ]
            else:
                results.append(
                    evaluate_split(item.spec.split, held_out, test, weights, max_loss)
                )
        return results

    def _plan(self) -> list[_Planned]:
        planned = []
        for spec in self.specs:
            config, data = self.configs.make(spec.split, self.work_dir / "data")
            folder = RunFolder(self.work_dir, spec)
            record = folder.check(RunRecord.of(spec, config))
            names = ["test", *(f"test_{o.configs.config.stem}" for o in self.others)]
            tests = [folder.path / f"{name}.safetensors" for name in names]
            planned.append(_Planned(spec, config, data, folder, record, tests))
        return planned

    def _run_one(
        self,
        item: _Planned,
        versions: dict[str, str],
        head: str,
        keep_open: Sequence[int],
    ) -> None:
        folder = item.folder
        record = item.record or RunRecord.of(item.spec, item.config)
        with running(folder, record, item.config, versions):
            checkpoint = self.trainer.train(
                item.config, folder, record, head, keep_open
            )
            record.result = self._score(item, checkpoint, head)
        folder.remove_other_checkpoints(checkpoint.name)

    def _score(self, item: _Planned, checkpoint: Path, head: str) -> dict[str, Any]:
        config = Config.fromfile(item.folder.config)
        config.merge_from_dict(parse_options(item.config.options))
        namer = ClassNamer(
            *(config, checkpoint, item.spec.split, self.configs.descriptions),
            *(self.device, self.batch_size),
        )
        held_out = namer.held_out(item.data)
        self.say(f"{head}: scored {len(held_out.names)} held-out training clips")
        test = namer.test(self.configs.ann_file, self.configs.test_split)
        self.say(f"{head}: scored {len(test.names)} test clips")
        held_out.save(item.held_out)
        test.save(item.tests[0])
        for other, path in zip(self.others, item.tests[1:]):
            of = other.configs
            clips = ClassNamer(
                *(config, checkpoint, ClassSplit(of.num_classes, ()), of.descriptions),
                *(self.device, self.batch_size, of.features),
            ).test(of.ann_file, of.test_split)
            self.say(f"{head}: scored {len(clips.names)} clips for {path.name}")
            clips.save(path)
        return {
            "checkpoint": checkpoint.name,
            "held_out_clips": len(held_out.names),
            "test_clips": len(test.names),
        }
