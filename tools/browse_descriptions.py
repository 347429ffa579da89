#!/usr/bin/env python
"""Look at the descriptions of a class, and at how alike the classes are.

Examples:
    python tools/browse_descriptions.py ntu120 "put on a shoe"
    python tools/browse_descriptions.py ntu120 --pairs 10 --matrix similarity.png
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from itertools import chain
from pathlib import Path

import matplotlib
import torch
from mmaction.registry import MODELS
from mmengine.registry import init_default_scope
from torch import Tensor

import gap_mmaction  # noqa: F401
from gap_mmaction.models import PromptBank
from gap_mmaction.models.text.class_similarity import class_similarity, nearest_pairs
from gap_mmaction.models.text.descriptions import (
    ActionDescription,
    load_descriptions,
)
from gap_mmaction.models.text.text_encoder import TextEncoder
from gap_mmaction.utils.dependency import import_optional
from gap_mmaction.utils.encoder_arguments import add_encoder_arguments
from gap_mmaction.utils.paths import find_description_file

matplotlib.use("Agg")
import matplotlib.pyplot as plt

CLIP_TOKENS = 77


def parse_args(argv: Sequence[str] | None = None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "descriptions", help="a description file, or the name of one that ships: ntu120"
    )
    parser.add_argument(
        "label", nargs="?", help="a class: its label, a part of it, or its index"
    )
    parser.add_argument(
        "--preset",
        default="synonym+parts4",
        help="the texts to compare (default: %(default)s)",
    )
    parser.add_argument(
        "--slot", help="compare the texts of this slot alone, not the mean over slots"
    )
    parser.add_argument(
        "--nearest", type=int, default=5, help="how many nearest classes to print"
    )
    parser.add_argument(
        "--pairs", type=int, default=0, help="print the most similar pairs of classes"
    )
    parser.add_argument(
        "--matrix", type=Path, help="draw the similarity of all classes to this file"
    )
    parser.add_argument(
        "--features",
        help="feature file of the texts (default: the one that ships with them)",
    )
    add_encoder_arguments(parser, "compute the features instead, e.g. by HFTextEncoder")
    args = parser.parse_args(argv)
    if args.label is None and not args.pairs and args.matrix is None:
        parser.error("name a class, or ask for --pairs or --matrix")
    return args


def find_class(actions: Sequence[ActionDescription], wanted: str) -> int:
    """Find a class by label, index, or a part of the label that only one has.

    Raises:
        ValueError: If there is none, or more than one.
    """
    labels = [action.label for action in actions]
    if wanted in labels:
        return labels.index(wanted)
    if wanted.isdigit() and int(wanted) < len(labels):
        return int(wanted)
    found = [i for i, label in enumerate(labels) if wanted.lower() in label.lower()]
    if len(found) != 1:
        names = [labels[i] for i in found] or labels
        raise ValueError(f"{len(found)} classes fit {wanted!r}; name one of {names}")
    return found[0]


def build_encoder(args: argparse.Namespace, path: Path) -> TextEncoder:
    """Build the encoder that the command line asks for."""
    if args.encoder:
        config = {"type": args.encoder, **args.encoder_options, "frozen": True}
    else:
        default = f"data/text_features/{path.stem}_minilm.safetensors"
        config = dict(type="CachedTextEncoder", features=args.features or default)
    encoder: TextEncoder = MODELS.build(config)
    encoder.init_weights()
    return encoder


def count_tokens(texts: Sequence[str]) -> list[int]:
    """Count CLIP's tokens, start and end included."""
    open_clip = import_optional("open_clip", "open_clip_torch")
    tokens = open_clip.SimpleTokenizer(context_length=512)(list(texts))
    return (tokens > 0).sum(1).tolist()


def print_class(index: int, action: ActionDescription) -> None:
    """Print every text of a class with its number of CLIP tokens."""
    print(f"{index}  {action.label}    ({action.where})")
    width = max(map(len, action.fields))
    lengths = iter(count_tokens(list(chain.from_iterable(action.fields.values()))))
    for field, texts in action.fields.items():
        for i, (text, tokens) in enumerate(zip(texts, lengths)):
            mark = "  longer than CLIP reads" if tokens > CLIP_TOKENS else ""
            print(f"  {'' if i else field:<{width}} {tokens:>3}  {text}{mark}")


def draw_matrix(similarity: Tensor, labels: Sequence[str], path: Path) -> None:
    """Draw the similarity of the classes, readable at full size."""
    side = max(5.0, 0.14 * len(labels))
    figure, axes = plt.subplots(figsize=(side + 2.5, side + 1.5))
    off = similarity[~torch.eye(len(labels), dtype=torch.bool)]
    image = axes.imshow(
        similarity.numpy(), vmin=float(off.min()), vmax=float(off.max())
    )
    names = [f"{label} {i}" for i, label in enumerate(labels)]
    size = 5 if len(labels) > 40 else 8
    axes.set_xticks(range(len(labels)), names, rotation=90, fontsize=size)
    axes.set_yticks(range(len(labels)), names, fontsize=size)
    axes.set_title("cosine between the texts of two classes")
    figure.colorbar(image, shrink=0.5, pad=0.01)
    figure.savefig(path, dpi=150, bbox_inches="tight")
    plt.close(figure)


def main(argv: Sequence[str] | None = None) -> int:
    """Run the tool.

    Returns:
        The exit status: 0, or 1 where something asked for is not there.
    """
    args = parse_args(argv)
    init_default_scope("mmaction")
    path = find_description_file(args.descriptions)
    try:
        actions = load_descriptions(path)
        index = None if args.label is None else find_class(actions, args.label)
        if index is not None:
            print_class(index, actions[index])
        bank = PromptBank(str(path), preset=args.preset)
        names = [slot.name for slot in bank.slots]
        if args.slot is not None and args.slot not in names:
            raise ValueError(f"--slot {args.slot!r} is not in {args.preset}: {names}")
        features = build_encoder(args, path).encode(bank.texts)
    except (ValueError, OSError, RuntimeError, ImportError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    by_slot = class_similarity(bank, features.cpu())
    if args.slot is None:
        similarity = by_slot.mean(0)
    else:
        similarity = by_slot[names.index(args.slot)]
    if index is not None:
        print(f"\nnearest classes by {args.slot or 'all slots'} of {args.preset}")
        order = similarity[index].sort(descending=True, stable=True).indices.tolist()
        order.remove(index)
        for other in order[: args.nearest]:
            parts = "  ".join(
                f"{name} {float(value):.2f}"
                for name, value in zip(names, by_slot[:, index, other])
            )
            value = float(similarity[index, other])
            print(f"  {value:.3f}  {bank.labels[other]:<28} {parts}")
    if args.pairs:
        print(f"\nmost similar pairs by {args.slot or 'all slots'} of {args.preset}")
        for one, other, value in nearest_pairs(similarity, args.pairs):
            print(f"  {value:.3f}  {bank.labels[one]} / {bank.labels[other]}")
    if args.matrix is not None:
        draw_matrix(similarity, bank.labels, args.matrix)
        print(f"\nwritten: {args.matrix}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
