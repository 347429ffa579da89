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
from typing import Any

import numpy as np
import torch
from matplotlib.figure import Figure
from mmengine.registry import init_default_scope
from torch import Tensor

import gap_mmaction  # noqa: F401
from gap_mmaction.models import PromptBank
from gap_mmaction.models.text.cached_encoder import open_features
from gap_mmaction.models.text.descriptions import ActionDescription, load_descriptions
from gap_mmaction.models.text.prompt_bank import class_features
from gap_mmaction.models.text.text_encoder import build_frozen_encoder
from gap_mmaction.utils.command_line import (
    add_encoder_arguments,
    check_encoder_arguments,
    natural,
    tells_errors,
)
from gap_mmaction.utils.dependency import import_for
from gap_mmaction.utils.files import find_description_file, find_shipped_file, save_png

CLIP_TOKENS = 77
MAX_CLASSES_WITH_NUMBERS = 20


def parse_args(argv: Sequence[str] | None = None) -> argparse.Namespace:
    """Reads the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add = parser.add_argument
    add("descriptions", help="a description file, or the name of one that ships")
    add("label", nargs="?", help="a class: its label, a part of it, or its index")
    add("--preset", default="synonym+parts4", help="the texts (default: %(default)s)")
    add("--slot", help="compare the texts of this slot alone, not the mean over slots")
    add("--nearest", type=natural, default=5, help="how many nearest classes to print")
    add("--pairs", type=natural, default=0, help="print so many most similar pairs")
    add("--matrix", type=Path, metavar="PNG", help="draw the similarity of all classes")
    add("--features", help="feature file of the texts (default: one that ships)")
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


def find_class(labels: Sequence[str], wanted: str) -> int:
    """Finds a class by label, index, or a part of the label that only one has."""
    folded, word = [label.casefold() for label in labels], wanted.casefold()
    if wanted in labels:
        return labels.index(wanted)
    if wanted.isdigit() and int(wanted) < len(labels):
        return int(wanted)
    if folded.count(word) == 1:
        return folded.index(word)
    found = [i for i, label in enumerate(folded) if word in label]
    if len(found) == 1:
        return found[0]
    near = difflib.get_close_matches(word, folded, 5, 0.5)
    names = [labels[i] for i in found or map(folded.index, near)]
    raise ValueError(
        f"{len(found)} classes fit {wanted!r}; give a label"
        + (f", such as {names}," if names else "")
        + f" or an index from 0 to {len(labels) - 1}"
    )


def find_features(texts: Sequence[str]) -> str:
    """Finds a feature file that ships and has all of some texts."""
    folder = find_shipped_file("data/text_features")
    for path in sorted(folder.glob("*.safetensors")):
        if set(texts) <= set(open_features(path).texts):
            return str(path)
    raise FileNotFoundError(
        "no feature file that ships has these texts, so classes cannot be compared: "
        "compute them with --encoder and --encoder-options, or give a file that "
        "tools/cache_text_features.py has written with --features"
    )


def class_similarity(bank: PromptBank, args: argparse.Namespace) -> Tensor:
    """Returns the cosines ``[slots, classes, classes]`` between two classes' texts."""
    config = {"type": args.encoder, **args.encoder_options}
    if not args.encoder:
        features = args.features or find_features(bank.texts)
        config = {"type": "CachedTextEncoder", "features": features}
    means = class_features(bank, build_frozen_encoder(config).encode(bank.texts).cpu())
    return means @ means.mT


def print_class(index: int, action: ActionDescription) -> None:
    """Prints every text of a class with its number of CLIP tokens."""
    purpose = "counting CLIP's tokens"
    open_clip = import_for(purpose, "open_clip", package="open_clip_torch")
    texts = list(chain.from_iterable(action.fields.values()))
    tokens = open_clip.SimpleTokenizer(context_length=512)(texts)
    counts = iter((tokens > 0).sum(1).tolist())
    print(f"{index}  {action.label}    ({action.where})")
    width = max(map(len, action.fields))
    for field, texts_of_field in action.fields.items():
        for i, (text, count) in enumerate(zip(texts_of_field, counts)):
            mark = "  longer than CLIP reads" if count > CLIP_TOKENS else ""
            print(f"  {'' if i else field:<{width}} {count:>3}  {text}{mark}")


def print_nearest(
    index: int, similarity: Tensor, by_slot: Tensor, bank: PromptBank, count: int
) -> None:
    """Prints the classes most similar to one, over all slots and in each."""
    order = similarity[index].sort(descending=True, stable=True).indices.tolist()
    order.remove(index)
    for other in order[:count]:
        values = zip(bank.slots, by_slot[:, index, other].tolist())
        parts = "  ".join(f"{slot.name} {value:.2f}" for slot, value in values)
        print(f"  {similarity[index, other]:.3f}  {bank.labels[other]:<28} {parts}")


def draw_matrix(
    similarity: Tensor, labels: Sequence[str], title: str, path: Path
) -> None:
    """Draws the similarity of the classes; the diagonal is left blank."""
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
        middle = (np.nanmin(shown) + np.nanmax(shown)) / 2
        place: dict[str, Any] = {"ha": "center", "va": "center", "fontsize": font}
        for row, column in zip(*np.nonzero(~np.isnan(shown))):
            value = shown[row, column]
            colour = "black" if value > middle else "white"
            axes.text(column, row, f"{value:.2f}", color=colour, **place)
    figure.colorbar(image, ax=axes, shrink=0.5, pad=0.01)
    save_png(figure, path)


@tells_errors
def main(argv: Sequence[str] | None = None) -> int:
    """Prints and draws what the command line asks for; returns the exit code."""
    args = parse_args(argv)
    init_default_scope("mmaction")
    path = find_description_file(args.descriptions)
    actions = load_descriptions(path)
    index = None
    if args.label is not None:
        index = find_class([action.label for action in actions], args.label)
        print_class(index, actions[index])
    bank = PromptBank(str(path), preset=args.preset)
    names = [slot.name for slot in bank.slots]
    if args.slot is not None and args.slot not in names:
        raise ValueError(f"--slot {args.slot!r} is not in {args.preset}: {names}")
    by_slot = class_similarity(bank, args)
    similarity = by_slot[names.index(args.slot)] if args.slot else by_slot.mean(0)
    texts = f"{args.slot or 'all slots'} of {args.preset}"
    if index is not None:
        print(f"\nnearest classes by {texts}")
        print_nearest(index, similarity, by_slot, bank, args.nearest)
    if args.pairs:
        print(f"\nmost similar pairs by {texts}")
        rows, columns = torch.triu_indices(len(similarity), len(similarity), 1)
        values, order = similarity[rows, columns].sort(descending=True, stable=True)
        for value, i in zip(values[: args.pairs].tolist(), order):
            pair = f"{bank.labels[rows[i]]} / {bank.labels[columns[i]]}"
            print(f"  {value:.3f}  {pair}")
    if args.matrix is not None:
        title = f"{args.descriptions}: {texts}"
        draw_matrix(similarity, bank.labels, title, args.matrix)
        print(f"\nwritten: {args.matrix}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
