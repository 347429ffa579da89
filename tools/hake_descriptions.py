"""Describe actions by the HAKE part states nearest to their names, with an encoder."""

from __future__ import annotations

import argparse
import shlex
import sys
import textwrap
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import torch
import yaml
from mmengine.registry import init_default_scope

import gap_mmaction  # noqa: F401
from gap_mmaction.generation.labels import read_labels
from gap_mmaction.models.text.descriptions import PARTS, write_descriptions
from gap_mmaction.models.text.part_states import (
    nearest_states,
    part_state_fields,
    read_part_states,
)
from gap_mmaction.models.text.text_encoder import build_frozen_encoder
from gap_mmaction.utils.argument_types import cosine, count
from gap_mmaction.utils.encoder_arguments import add_encoder_arguments, without_place

# Looked up on the labels of NW-UCLA and NTU-120, see docs/descriptions.md.
DEFAULT_K = 2
DEFAULT_THRESHOLD = 0.4
DEFAULT_AT_LEAST = 3
SAFE_WORDS = 50  # that CLIP's 77 tokens hold, see docs/descriptions.md


def parse_args(argv: Sequence[str] | None = None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "labels",
        type=Path,
        help="description file (.yaml) of which the labels are taken, or a text file "
        "with one name a line",
    )
    parser.add_argument("out", type=Path, help="description file to write (.yaml)")
    parser.add_argument(
        "--states", type=Path, required=True, help="file with lines 'part: state'"
    )
    add_encoder_arguments(parser, "text encoder, e.g. HFTextEncoder", required=True)
    parser.add_argument(
        "--k",
        type=count,
        default=DEFAULT_K,
        help="states per part at the most (default: %(default)s)",
    )
    parser.add_argument(
        "--threshold",
        type=cosine,
        default=DEFAULT_THRESHOLD,
        help="the least cosine similarity to the label (default: %(default)s)",
    )
    parser.add_argument(
        "--at-least",
        type=count,
        default=DEFAULT_AT_LEAST,
        help="states of a label, however low their similarity (default: %(default)s)",
    )
    parser.add_argument(
        "--label-template",
        default="{label}",
        help="text that stands for a label (default: %(default)s)",
    )
    parser.add_argument(
        "--state-template",
        default="{part} {state}",
        help="text that stands for a state (default: %(default)s)",
    )
    parser.add_argument(
        "--dataset", help="the data set's name (default: that of the description file)"
    )
    parser.add_argument(
        "--device", default="cuda" if torch.cuda.is_available() else "cpu"
    )
    args = parser.parse_args(argv)
    for option, template, names in (
        ("--label-template", args.label_template, ("{label}",)),
        ("--state-template", args.state_template, ("{part}", "{state}")),
    ):
        for name in names:
            if name not in template:
                parser.error(f"{option} {template!r} must contain {name}")
    if args.out.is_dir():
        parser.error(f"out, {args.out}, is a folder; give a file (.yaml)")
    if args.out.resolve() in (args.labels.resolve(), args.states.resolve()):
        parser.error(f"out, {args.out}, is read as well; give another file")
    return args


def read_classes(path: Path) -> tuple[list[str], str]:
    """Read the names of the classes.

    Args:
        path: A description file (.yaml or .yml), or a text file with a name a line.

    Returns:
        The names, and the data set's.

    Raises:
        FileNotFoundError: If the file is not there.
        ValueError: If it has no names or one twice, or breaks the schema.
    """
    dataset = path.stem
    labels = read_labels(path)
    if path.suffix.lower() in (".yaml", ".yml"):
        # BaseLoader: a data set named `yes` is a text.
        content = yaml.load(path.read_bytes(), Loader=yaml.BaseLoader)
        dataset = str(content.get("dataset", dataset))
    return labels, dataset


def make_header(args: argparse.Namespace, encoder: str, dataset: str, size: int) -> str:
    """Say how the file was made, without the places of this machine."""
    options = without_place(args.encoder_options)
    command = [
        *("python", "tools/hake_descriptions.py", args.labels.name, args.out.name),
        *("--states", args.states.name, "--encoder", args.encoder),
    ]
    if options:
        command.append("--encoder-options")
        command += [f"{key}={value}" for key, value in options.items()]
    command += ["--k", str(args.k), "--threshold", str(args.threshold)]
    command += ["--at-least", str(args.at_least)]
    if args.dataset:
        command += ["--dataset", args.dataset]
    command += ["--label-template", args.label_template]
    command += ["--state-template", args.state_template]
    paragraphs = [
        f"HAKE part states for {dataset}: for every class the part states whose text "
        "features are nearest to those of its label (GAP paper, section 3.5).",
        f"Encoder: {encoder}. Of each part at most {args.k} (K), with a cosine "
        f"similarity of at least {args.threshold:g} (threshold); a class with fewer "
        f"than {args.at_least} has the next ones too. A part without any has 'no "
        "interaction'.",
        f"States: {size} of {args.states.name}, without no_interaction. HAKE's are of "
        "Li et al., HAKE: A Knowledge Engine Foundation for Human Activity "
        "Understanding, TPAMI 2023.",
        "Fields: `hake`, all states, the most similar first; "
        + ", ".join(f"`hake_{part}`" for part in PARTS)
        + ", those of one part. See docs/descriptions.md.",
    ]
    filled = ["\n".join(textwrap.wrap(text, 84)) for text in paragraphs]
    # Not to be wrapped at hyphens, to be copied.
    lines = textwrap.wrap(
        shlex.join(command), 80, break_on_hyphens=False, subsequent_indent="    "
    )
    filled.insert(1, "Made by\n  " + " \\\n  ".join(lines))
    return "\n".join(filled)


def main(argv: Sequence[str] | None = None) -> int:
    """Run the tool.

    Args:
        argv: Arguments, those of the process by default.

    Returns:
        The exit status: 0, or 1 where a file or an option cannot be used.
    """
    args = parse_args(argv)
    init_default_scope("mmaction")
    try:
        labels, dataset = read_classes(args.labels)
        states = read_part_states(args.states)
        config = {"type": args.encoder, **args.encoder_options}
        encoder = build_frozen_encoder(config, args.device)
        label_texts = [args.label_template.replace("{label}", name) for name in labels]
        state_texts = [
            args.state_template.replace("{part}", state.part).replace(
                "{state}", state.words
            )
            for state in states
        ]
        nearest = nearest_states(
            encoder.encode(label_texts).cpu(),
            encoder.encode(state_texts).cpu(),
            states,
            args.k,
            args.threshold,
            args.at_least,
        )
    except (ValueError, TypeError, OSError, RuntimeError, ImportError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    classes = []
    labels_of: dict[str, list[str]] = {}
    for label, kept in zip(labels, nearest):
        fields = part_state_fields([state for state, _ in kept])
        classes.append({"label": label, **fields})
        scores = ", ".join(
            f"{state.part} {state.words} {value:.3f}" for state, value in kept
        )
        print(f"{label}: {scores}")
        labels_of.setdefault(fields["hake"], []).append(label)
        words = len(fields["hake"].split())
        if words > SAFE_WORDS:
            print(
                f"warning: {label!r} has {words} words, CLIP's 77 tokens may cut them "
                "off; lower --k or raise --threshold",
                file=sys.stderr,
            )
    for text, alike in labels_of.items():
        if len(alike) > 1:
            print(
                f"warning: {text!r} is the text of {', '.join(alike)}, which the loss "
                "is to set apart; raise --at-least or --k, or put the label in front "
                "of it in the slot",
                file=sys.stderr,
            )
    dataset = args.dataset or dataset
    described = str(without_place(config))
    header = make_header(args, described, dataset, len(states))
    try:
        write_descriptions(args.out, dataset, classes, header)
    except OSError as error:
        print(f"error: {args.out} cannot be written: {error}", file=sys.stderr)
        return 1
    sizes = Counter(len(kept) for kept in nearest)
    table = ", ".join(f"{size}: {sizes[size]}" for size in sorted(sizes))
    print(f"{args.out}: {len(labels)} classes; states: classes = {table}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
