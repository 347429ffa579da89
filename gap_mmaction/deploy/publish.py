"""Make a file for others of the checkpoint of a training run."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from torch import Tensor

from gap_mmaction.evaluation.class_names import load_class_names
from gap_mmaction.models.recognizers.recognizer_gap import TEXT_PREFIX
from gap_mmaction.utils.checkpoint_reader import read_checkpoint, weights_of

from .checkpoint_file import (
    check_suffix,
    dump_checkpoint,
    hashed_name,
    sha256_of,
    write_bytes,
)
from .model_card import ModelCard

_CLASSIFIER = "cls_head.fc.bias"


@dataclass(frozen=True)
class Published:
    """What :func:`publish_model` has written.

    Attributes:
        file: The checkpoint, with its hash in the name.
        card: The model card beside it.
        kept: Number of tensors in it.
        dropped: Number of tensors left out.
    """

    file: Path
    card: Path
    kept: int
    dropped: int


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
) -> Published:
    """Write the weights of a checkpoint, and a card that says what they are.

    Optimizer, schedulers, the log of the run and, where weights were averaged, the
    ones that were not are left out; so is the text branch, which testing has no use
    for: what is left loads strictly into stock ``RecognizerGCN`` and ``GCNHead``.

    Args:
        source: A checkpoint that mmengine's Runner has written.
        target: Where, ``.pth`` or ``.safetensors``.
        keep_text: Whether to keep the text branch, which part similarities need.
        name: What the card calls the model; by default the name of the file.
        config: The config file to name in the card and in the meta.
        accuracy: What is known of the accuracy, a line for the card.
        licence: The licence of the weights, a line for the card.
        labels: A description file, or the name of one that ships, whose labels name
            the classes; they go into the meta's ``dataset_meta`` and into the card.
        half: Whether to write weights as float16; models take them as float32.
        hashed: Whether to put the first eight digits of the content's SHA-256 into the
            name, as mmengine and mmaction2 do.

    Returns:
        The files and what is in them.

    Raises:
        FileNotFoundError: If the checkpoint is not there.
        pickle.UnpicklingError: If it asks for more than a checkpoint holds.
        TypeError: If its meta cannot be written as safetensors.
        ValueError: If it holds no state dict, nothing would be left of it, the labels
            are of another number of classes, the suffix is another one, or a number
            does not fit into float16.
    """
    check_suffix(target.suffix)
    checkpoint = read_checkpoint(source)
    state = weights_of(checkpoint, source)
    kept = state if keep_text else without_text(state)
    if not kept:
        raise ValueError(f"{source}: nothing is left without the text branch")
    meta = checkpoint.get("meta")
    meta = dict(meta) if isinstance(meta, dict) else {}
    if half:
        kept = _to_half(kept, source)
    if config is not None:
        meta["config"] = config
    if labels is not None:
        classes = load_class_names(labels, _number_of_classes(kept, source))
        meta["dataset_meta"] = {**(meta.get("dataset_meta") or {}), "classes": classes}
    content = dump_checkpoint(kept, meta, target.suffix)
    sha256 = sha256_of(content)
    file = hashed_name(target, sha256) if hashed else target
    card = ModelCard(
        name=name or target.stem,
        file=file.name,
        sha256=sha256,
        size=len(content),
        source=Path(source).name,
        meta=meta,
        state_dict=kept,
        dropped=len(state) - len(kept),
        config=config,
        accuracy=accuracy,
        licence=licence,
    )
    card_file = file.with_suffix(".md")
    write_bytes(file, content)
    write_bytes(card_file, card.text().encode())
    return Published(file, card_file, len(kept), len(state) - len(kept))


def _to_half(state: Mapping[str, Tensor], source: str | Path) -> dict[str, Tensor]:
    """Turn matrices and kernels into float16.

    Vectors, those of normalizations above all, are few, and half of what scores would
    lose in precision: they stay as they are.
    """
    half = {
        k: v.half() if v.is_floating_point() and v.dim() > 1 else v
        for k, v in state.items()
    }
    for key, value in half.items():
        if not value.isfinite().all():
            raise ValueError(f"{source}: {key} has numbers that float16 cannot hold")
    return half


def _number_of_classes(state: Mapping[str, Tensor], source: str | Path) -> int:
    if _CLASSIFIER not in state:
        raise ValueError(
            f"{source}: there is no {_CLASSIFIER}, so that it is not known how many "
            "classes there are to be named"
        )
    return len(state[_CLASSIFIER])


def without_text(state_dict: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Leave the text branch out of a state dict."""
    return {
        key: value
        for key, value in state_dict.items()
        if not key.startswith(TEXT_PREFIX)
    }
