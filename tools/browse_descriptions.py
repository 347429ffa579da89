#!/usr/bin/env python
"""Look at the descriptions of a class, and at how alike the classes are.

Examples:
    python tools/browse_descriptions.py ntu120 "put on a shoe"
    python tools/browse_descriptions.py ntu120 --pairs 10 --matrix similarity.png
"""

from __future__ import annotations

import argparse
import difflib
import sys
from collections.abc import Sequence
from itertools import chain
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure
from mmengine.registry import init_default_scope
from torch import Tensor

import gap_mmaction  # noqa: F401
from gap_mmaction.models import PromptBank
from gap_mmaction.models.text.class_similarity import class_similarity, nearest_pairs
from gap_mmaction.models.text.descriptions import (
    ActionDescription,
    load_descriptions,
)
from gap_mmaction.models.text.feature_file import open_features
from gap_mmaction.models.text.frozen_encoder import build_frozen_encoder
from gap_mmaction.utils.atomic_file import save_png
from gap_mmaction.utils.command_line import (
    add_encoder_arguments,
    check_encoder_arguments,
    natural,
)
from gap_mmaction.utils.dependency import import_for
from gap_mmaction.utils.paths import find_description_file, find_shipped_file

CLIP_TOKENS = 77
MAX_CLASSES_WITH_NUMBERS = 20
NEAR_LABELS = 5


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
        "--nearest", type=natural, default=5, help="how many nearest classes to print"
    )
    parser.add_argument(
        "--pairs", type=natural, default=0, help="print so many most similar pairs"
    )
    parser.add_argument(
        "--matrix", type=Path, metavar="PNG", help="draw the similarity of all classes"
    )
    parser.add_argument(
        "--features",
        help="feature file of the texts (default: one of those that ship, if it has "
        "all of them)",
    )
    add_encoder_arguments(parser, "compute the features instead, e.g. by HFTextEncoder")
    args = parser.parse_args(argv)
    if args.label is None and not args.pairs and args.matrix is None:
        parser.error("name a class, or ask for --pairs or --matrix")
    if args.matrix is not None and args.matrix.suffix != ".png":
        parser.error(f"--matrix {args.matrix}: must end in .png")
    check_encoder_arguments(parser, args)
    if args.encoder and args.features:
        parser.error("--encoder computes features, --features reads them: give one")
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
    folded = [label.casefold() for label in labels]
    if folded.count(wanted.casefold()) == 1:
        return folded.index(wanted.casefold())
    found = [i for i, label in enumerate(folded) if wanted.casefold() in label]
    if len(found) == 1:
        return found[0]
    names = [labels[i] for i in found]
    if not names:
        near = difflib.get_close_matches(wanted.casefold(), folded, NEAR_LABELS, 0.5)
        names = [labels[folded.index(label)] for label in near]
    raise ValueError(
        f"{len(found)} classes fit {wanted!r}; give a label"
        + (f", such as {names}," if names else "")
        + f" or an index from 0 to {len(labels) - 1}"
    )


def find_features(texts: Sequence[str]) -> str:
    """Find a feature file that ships and has all of some texts.

    Raises:
        FileNotFoundError: If there is none.
    """
    folder = find_shipped_file("data/text_features")
    for path in sorted(folder.glob("*.safetensors")):
        if set(texts) <= set(open_features(path).texts):
            return str(path)
    raise FileNotFoundError(
        "no feature file that ships has these texts, so classes cannot be compared: "
        "compute them with --encoder and --encoder-options, or give a file that "
        "tools/cache_text_features.py has written with --features"
    )


def encode(args: argparse.Namespace, texts: Sequence[str]) -> Tensor:
    """Give the features of texts as the command line asks for them."""
    if args.encoder:
        config = {"type": args.encoder, **args.encoder_options}
    else:
        features = args.features or find_features(texts)
        config = {"type": "CachedTextEncoder", "features": features}
    return build_frozen_encoder(config).encode(texts).cpu()


def count_tokens(texts: Sequence[str]) -> list[int]:
    """Count CLIP's tokens, start and end included."""
    open_clip = import_for(
        "counting CLIP's tokens", "open_clip", package="open_clip_torch"
    )
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


def draw_matrix(
    similarity: Tensor, labels: Sequence[str], title: str, path: Path
) -> None:
    """Draw the similarity of the classes, readable at full size.

    A class is not compared with itself: the diagonal is left blank, and the colours
    are for what is beside it.
    """
    many = len(labels) > MAX_CLASSES_WITH_NUMBERS
    cell, font = (0.14, 5) if many else (0.6, 8)
    side = max(3.0, cell * len(labels))
    figure = Figure(figsize=(side + 2.5, side + 1.5), layout="constrained")
    axes = figure.add_subplot()
    shown = similarity.clone().fill_diagonal_(float("nan")).numpy()
    image = axes.imshow(shown)
    names = [f"{label} {i}" for i, label in enumerate(labels)]
    axes.set_xticks(range(len(labels)), names, rotation=90, fontsize=font)
    axes.set_yticks(range(len(labels)), names, fontsize=font)
    axes.set_title(f"cosine between the texts of two classes\n{title}", fontsize=10)
    if not many:
        middle = (image.norm.vmin + image.norm.vmax) / 2  # type: ignore[operator]
        for row, column in zip(*np.nonzero(~np.isnan(shown))):
            value = shown[row, column]
            axes.text(
                column,
                row,
                f"{value:.2f}",
                ha="center",
                va="center",
                fontsize=font,
                color="black" if value > middle else "white",
            )
    figure.colorbar(image, ax=axes, shrink=0.5, pad=0.01)
    save_png(figure, path)


def print_nearest(
    index: int, similarity: Tensor, by_slot: Tensor, bank: PromptBank, count: int
) -> None:
    """Print the classes most similar to one, over all slots and in each."""
    order = similarity[index].sort(descending=True, stable=True).indices.tolist()
    order.remove(index)
    for other in order[:count]:
        parts = "  ".join(
            f"{slot.name} {float(value):.2f}"
            for slot, value in zip(bank.slots, by_slot[:, index, other])
        )
        value = float(similarity[index, other])
        print(f"  {value:.3f}  {bank.labels[other]:<28} {parts}")


def browse(args: argparse.Namespace) -> None:
    """Print and draw what the command line asks for.

    Raises:
        ValueError: If there is no such class, slot or preset, or a file does not fit.
        TypeError: If the encoder has other arguments.
        OSError: If a file is not there or cannot be written.
        RuntimeError: If the encoder's weights cannot be had.
        ImportError: If a library is missing.
    """
    path = find_description_file(args.descriptions)
    actions = load_descriptions(path)
    index = None if args.label is None else find_class(actions, args.label)
    if index is not None:
        print_class(index, actions[index])
    bank = PromptBank(str(path), preset=args.preset)
    names = [slot.name for slot in bank.slots]
    if args.slot is not None and args.slot not in names:
        raise ValueError(f"--slot {args.slot!r} is not in {args.preset}: {names}")
    by_slot = class_similarity(bank, encode(args, bank.texts))
    if args.slot is None:
        similarity = by_slot.mean(0)
    else:
        similarity = by_slot[names.index(args.slot)]
    texts = f"{args.slot or 'all slots'} of {args.preset}"
    if index is not None:
        print(f"\nnearest classes by {texts}")
        print_nearest(index, similarity, by_slot, bank, args.nearest)
    if args.pairs:
        print(f"\nmost similar pairs by {texts}")
        for one, other, value in nearest_pairs(similarity, args.pairs):
            print(f"  {value:.3f}  {bank.labels[one]} / {bank.labels[other]}")
    if args.matrix is not None:
        title = f"{args.descriptions}: {texts}"
        draw_matrix(similarity, bank.labels, title, args.matrix)
        print(f"\nwritten: {args.matrix}")


def main(argv: Sequence[str] | None = None) -> int:
    """Run the tool.

    Returns:
        The exit status: 0, or 1 where something asked for is not there.
    """
    args = parse_args(argv)
    init_default_scope("mmaction")
    try:
        browse(args)
    except (ValueError, TypeError, OSError, RuntimeError, ImportError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
