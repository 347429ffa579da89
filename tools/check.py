"""Checks a config and its files before any training: ``python tools/check.py CONFIG``.

Everything that training would refuse, and what it would warn of, is said at once, a
line each: annotations, layout, words, features and settings. It trains nothing, reads
no pretrained weights and writes no file.
"""

from __future__ import annotations

import argparse
import copy
import functools
import logging
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from mmaction.registry import DATASETS, LOOPS, MODELS
from mmengine.config import Config
from mmengine.dataset import pseudo_collate
from mmengine.logging import MMLogger
from mmengine.registry import init_default_scope

import gap_mmaction  # noqa: F401
from gap_mmaction.deploy.clip_scorer import person_limit
from gap_mmaction.engine.launch import named_settings, unknown_settings
from gap_mmaction.models.text import CachedTextEncoder, PromptBank
from gap_mmaction.skeletons import get_skeleton
from gap_mmaction.utils.command_line import add_cfg_options, read_config, text_of
from gap_mmaction.utils.config_parts import check_keys, innermost_data

CLIPS = 32  # of a data set go through its pipeline
_LOOP = "EpochBasedTrainLoop"


class Findings(logging.Handler):
    """What is wrong, also what the project's own checks log, and what is fine."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.wrong: list[str] = []
        self.fine: list[str] = []
        self._where = ""

    def emit(self, record: logging.LogRecord) -> None:
        """Takes a warning."""
        self.add(record.getMessage())

    def add(self, message: str) -> None:
        """Notes what is wrong, once."""
        line = " ".join(f"{self._where}: {message}".split())
        if line not in self.wrong:
            self.wrong.append(line)

    def run(self, where: str, step: Callable[[], Any]) -> Any:
        """Takes a step; returns its result, or None where it fails."""
        self._where = where
        known = len(self.wrong)
        try:
            found = step()
        except Exception as error:  # transforms and models raise whatever they like
            self.add(text_of(error))
            return None
        if len(self.wrong) == known:
            self.fine.append(where)
        return found


class Checker:
    """The steps of the check; ``findings`` gets what they find."""

    def __init__(self, config: Config, findings: Findings) -> None:
        self.config = config
        self.findings = findings
        self.model: Any = None

    def run(self) -> None:
        """Takes all of them."""
        run, model = self.findings.run, self.config.model
        run("settings", self._check_settings)
        plain = {k: None if k == "text_branch" else v for k, v in model.items()}
        self.model = run("model", lambda: self._build(MODELS, plain))
        seen: list[Any] = []
        for loader in ("train_dataloader", "val_dataloader", "test_dataloader"):
            data = innermost_data(self.config.get(loader))
            # Most test sets are the validation set.
            if data.settings and data.settings not in seen:
                seen.append(data.settings)
                where = ".".join((loader, *data.keys))
                run(where, lambda: self._check_data(where, data.settings))  # noqa: B023
        branch = model.get("text_branch")
        if branch is not None:
            self._check_words(branch)

    def _build(self, registry: Any, settings: Any) -> Any:
        with named_settings(self.config):
            return registry.build(copy.deepcopy(settings))

    def _check_settings(self) -> None:
        for line in unknown_settings(dict(self.config.items())):
            self.findings.add(line)
        start = self.config.get("load_from")
        if start and "://" not in start and not Path(start).is_file():
            self.findings.add(f"load_from={start!r}: there is no such file")
        loop = dict(self.config.get("train_cfg") or {})
        if loop.pop("by_epoch", True) and loop.setdefault("type", _LOOP) == _LOOP:
            given = {"runner": None, "dataloader": None, **loop}
            check_keys(LOOPS.get(_LOOP), given, "train_cfg")

    def _check_data(self, where: str, settings: dict[str, Any]) -> None:
        """Reads a data set, runs its pipeline on some clips, and compares both."""
        add, head = self.findings.add, self.config.model.get("cls_head") or {}
        classes, told = head.get("num_classes"), settings.get("num_classes")
        if None not in (classes, told) and classes != told:
            add(f"num_classes={told}, but model.cls_head.num_classes={classes}")
        branch = self.config.model.get("text_branch")
        if settings.get("multi_class") and branch is not None:
            add("multi_class=True, but model.text_branch takes one class of a clip")
        preprocessor = getattr(self.model, "data_preprocessor", None)
        skeleton = getattr(preprocessor, "skeleton", None)
        if skeleton is not None and settings.get("layout") is not None:
            layout = get_skeleton(settings["layout"])
            if layout != skeleton:
                add(
                    f"layout={layout.name!r}, but model.data_preprocessor has "
                    f"{skeleton.name!r}; set both to that of the data"
                )
                preprocessor = None
        dataset = self._build(DATASETS, settings)
        loader = self.config[where.partition(".")[0]]
        samples = len(dataset) * innermost_data(loader).times
        size = loader.get("batch_size", 1)
        if where.startswith("train") and loader.get("drop_last") and samples < size:
            add(
                f"{samples} samples fill no batch of {size}, and drop_last leaves out "
                "what does not; set a smaller batch_size, or drop_last=False"
            )
        if classes is not None and not settings.get("multi_class"):
            labels = {dataset.get_data_info(i)["label"] for i in range(len(dataset))}
            absent = sorted(set(range(classes)) - labels)
            if max(labels) >= classes:
                add(f"has label {max(labels)}; the model has {classes} classes")
            elif absent and where.startswith("train"):
                add(f"has no clip of {len(absent)} classes: {absent[:10]}")
        picked = np.unique(np.linspace(0, len(dataset) - 1, CLIPS).astype(int))
        clips = [dataset[int(i)] for i in picked]
        if preprocessor is None:
            return
        preprocessor._is_first_batch = True
        batch = preprocessor(pseudo_collate(clips), True)["inputs"]
        persons, columns = batch.shape[2], batch.shape[5]
        backbone = self.model.backbone
        channels = getattr(backbone, "in_channels", columns)
        if channels != columns:
            add(
                f"clips have {columns} columns, model.backbone.in_channels is "
                f"{channels}; set it to {columns}, or give keypoint_score"
            )
        most = person_limit(backbone) if channels == columns else None
        if most is not None and most != persons:
            add(
                f"clips have {persons} persons, model.backbone.num_person is {most}; "
                f"set it to {persons}, or FormatGCNInput's to {most}"
            )

    def _check_words(self, branch: Any) -> None:
        run = self.findings.run
        classes = (self.config.model.get("cls_head") or {}).get("num_classes")
        bank = features = None
        if branch.get("prompts") is not None:
            prompts = {"num_classes": classes, **branch["prompts"]}
            prompts.pop("type", None)
            bank = run("model.text_branch.prompts", lambda: PromptBank(**prompts))
        file = branch.get("features")
        if file is not None and bank is not None:
            where = "model.text_branch.features"
            features = run(where, lambda: CachedTextEncoder(file).encode(bank.texts))
        known = len(self.findings.wrong)
        if self.model is None or (file and features is None):
            return
        build = functools.partial(self._build, MODELS, self.config.model)
        self.model = run("model.text_branch", build)
        check = getattr(getattr(self.model, "text_branch", None), "check_texts", None)
        if check is not None and len(self.findings.wrong) == known:
            run("model.text_branch, texts", check)


def parse_args(argv: Sequence[str] | None = None) -> argparse.Namespace:
    """Parses the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("config", help="config file")
    add_cfg_options(parser)
    return parser.parse_args(argv)


def main(argv: Sequence[str] | None = None) -> int:
    """Runs the tool; returns 0, or 1 where something is wrong."""
    args = parse_args(argv)
    findings = Findings()
    # In place of the console, and of INFO.
    MMLogger.get_instance(f"check {id(findings)}").handlers = [findings]
    read = functools.partial(read_config, args.config, args.cfg_options)
    config = findings.run(args.config, read)
    if config is not None:
        init_default_scope(config.get("default_scope", "mmaction"))
        Checker(config, findings).run()
    for line in findings.wrong:
        print(f"wrong: {line}")
    print(f"fine: {'; '.join(findings.fine) or 'nothing'}")
    return int(bool(findings.wrong))


if __name__ == "__main__":
    sys.exit(main())
