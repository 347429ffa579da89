"""Makes a file for others of the checkpoint of a training run."""

from __future__ import annotations

import io
import re
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import asdict
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from gap_mmaction.apis.unknown import META_KEY, Unknown
from gap_mmaction.evaluation.accuracy import accuracy
from gap_mmaction.evaluation.class_names import load_class_names
from gap_mmaction.evaluation.score_file import load_scores
from gap_mmaction.evaluation.training_log import read_training_log
from gap_mmaction.models.recognizers.recognizer_gap import TEXT_PREFIX
from gap_mmaction.utils.checkpoint_reader import read_checkpoint, weights_of
from gap_mmaction.utils.files import write_file
from gap_mmaction.utils.safetensors_checkpoint import SUFFIX, dump_safetensors

from .model_card import ModelCard

SUFFIXES = (".pth", SUFFIX)
_CLASSIFIER = "cls_head.fc.bias"
_ACCURACIES = {"acc/top1": "top-1", "acc/top5": "top-5", "acc/mean1": "mean class"}
# A string in a config's text that is an absolute path, of Windows as well.
_ABSOLUTE_PATH = re.compile(r"""(?<=['"])(?:[A-Za-z]:)?(?:/|\\\\)[^'"\n]+(?=['"])""")


def publish_model(
    source: str | Path,
    target: Path,
    keep_text: bool = False,
    name: str | None = None,
    config: str | None = None,
    accuracy: str | None = None,
    licence: str | None = None,
    labels: str | None = None,
    half: bool = False,
    hashed: bool = True,
    unknown: Unknown | None = None,
) -> tuple[Path, ModelCard]:
    """Writes the weights of a checkpoint, and a card that says what they are.

    Optimizer, schedulers, the log of the run and, where weights were averaged, the
    ones that were not are left out; so is the text branch: what is left loads strictly
    into stock ``RecognizerGCN`` and ``GCNHead``.

    Args:
        source: A checkpoint that mmengine's Runner has written.
        target: ``.pth`` or ``.safetensors``.
        keep_text: Whether to keep the text branch, which part similarities need.
        name: What the card calls the model; by default the name of the file.
        config: The config file to name in the card and in the meta.
        accuracy: What is known of the accuracy, a line for the card.
        licence: The licence of the weights, a line for the card.
        labels: A description file, or the name of one that ships, of the classes.
        half: Whether to write matrices and kernels as float16.
        hashed: Whether to put the first eight digits of the content's SHA-256 into the
            name, as mmengine and mmaction2 do.
        unknown: What tells that a window of a timeline shows no known action; without
            the text branch what similarity tells is left out.

    Returns:
        The file, and the card, which is beside it with the suffix ``.md``.

    Raises:
        FileNotFoundError: If the checkpoint is not there.
        pickle.UnpicklingError: If it asks for more than a checkpoint holds.
        TypeError: If its meta cannot be written as safetensors.
        ValueError: If the files or the options do not fit one another.
    """
    check_suffix(target.suffix)
    checkpoint = read_checkpoint(source)
    state = weights_of(checkpoint, source)
    kept = {
        k: v for k, v in state.items() if keep_text or not k.startswith(TEXT_PREFIX)
    }
    if not kept:
        raise ValueError(f"{source}: nothing is left without the text branch")
    if half:
        kept = _to_half(kept, source)
    meta = checkpoint.get("meta")
    meta = dict(meta) if isinstance(meta, dict) else {}
    if isinstance(meta.get("cfg"), str):
        # Without the folders of the machine that a model was trained on.
        meta["cfg"] = _ABSOLUTE_PATH.sub(
            lambda path: re.split(r"[/\\]", path[0].rstrip("/\\"))[-1], meta["cfg"]
        )
    if config is not None:
        meta["config"] = config
    if unknown is not None:
        meta[META_KEY] = asdict(unknown)
    if not keep_text and isinstance(meta.get(META_KEY), dict):
        meta[META_KEY] = {**meta[META_KEY], "similarity": None}
    if labels is not None:
        if _CLASSIFIER not in kept:
            raise ValueError(
                f"{source}: there is no {_CLASSIFIER}, so that it is not known how "
                "many classes there are to be named"
            )
        classes = load_class_names(labels, len(kept[_CLASSIFIER]))
        meta["dataset_meta"] = {**(meta.get("dataset_meta") or {}), "classes": classes}
    content = dump_checkpoint(kept, meta, target.suffix)
    digest, file = sha256(content).hexdigest(), target
    if hashed:
        file = target.with_name(f"{target.stem}-{digest[:8]}{target.suffix}")
    card = ModelCard(
        name=name or target.stem,
        file=file.name,
        sha256=digest,
        size=len(content),
        source=Path(source).name,
        meta=meta,
        state_dict=kept,
        dropped=len(state) - len(kept),
        config=config,
        accuracy=accuracy,
        licence=licence,
    )
    text = card.text().encode()
    for path, data in ((file, content), (file.with_suffix(".md"), text)):
        write_file(path, data)
    return file, card


def dump_checkpoint(
    state_dict: Mapping[str, Tensor], meta: Mapping[str, Any], suffix: str
) -> bytes:
    """Returns the content of a checkpoint file with one of :data:`SUFFIXES`."""
    if suffix == SUFFIX:
        return dump_safetensors(state_dict, meta)
    stream = io.BytesIO()
    torch.save({"meta": dict(meta), "state_dict": OrderedDict(state_dict)}, stream)
    return stream.getvalue()


def check_suffix(suffix: str) -> None:
    """Raises a ValueError for a suffix that no checkpoint is written under."""
    if suffix not in SUFFIXES:
        raise ValueError(
            f"the file ends in {suffix!r}, name it {' or '.join(SUFFIXES)} for the "
            "form that it shall have"
        )


def accuracy_of_log(run: Path, checkpoint: Path) -> str:
    """Returns, for the card, what a run has logged on its checkpoint's epoch."""
    log = read_training_log(run)
    key = "epoch" if log.by_epoch else "iter"
    position = (read_checkpoint(checkpoint).get("meta") or {}).get(key)
    if not isinstance(position, int):
        raise ValueError(
            f"{checkpoint}: its meta does not say the {key}; give --accuracy"
        )
    parts = []
    for curve, name in _ACCURACIES.items():
        positions, values = log.curves.get(curve, (np.empty(0), np.empty(0)))
        found = np.flatnonzero(positions == position)
        if len(found):
            parts.append(f"{name} {100 * values[found[-1]]:.1f} %")
    if not parts:
        raise ValueError(
            f"{run}: the log has no accuracy of {key} {position}, which is that of "
            f"{checkpoint}; give --accuracy, or --scores"
        )
    return f"{', '.join(parts)} (validation in the log of the run, {key} {position})"


def accuracy_of_scores(path: Path) -> str:
    """Returns, for the card, the accuracy of what ``tools/test.py --dump`` wrote."""
    file = load_scores(path)
    values = accuracy(file.scores, file.labels)
    parts = [f"{n} {100 * v:.2f} %" for n, v in zip(_ACCURACIES.values(), values)]
    return f"{', '.join(parts)} ({len(file.labels):,} sequences, `{path.name}`)"


def _to_half(state: Mapping[str, Tensor], source: str | Path) -> dict[str, Tensor]:
    """Turns matrices and kernels into float16; vectors are few and lose the most."""
    half = {}
    for key, value in state.items():
        wide = value.is_floating_point() and value.dim() > 1
        half[key] = value.half() if wide else value
        if not half[key].isfinite().all():
            raise ValueError(f"{source}: {key} has numbers that float16 cannot hold")
    return half
