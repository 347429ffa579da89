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
from gap_mmaction.generation.assembly import review
from gap_mmaction.generation.prompts import read_labels
from gap_mmaction.models.text.descriptions import PARTS, write_descriptions
from gap_mmaction.models.text.part_states import (
    nearest_states,
    part_state_fields,
    read_part_states,
)
from gap_mmaction.models.text.text_encoder import build_frozen_encoder
from gap_mmaction.utils.command_line import (
    add_encoder_arguments,
    cosine,
    count,
    tells_errors,
    without_place,
)


def parse_args(argv: Sequence[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    add = parser.add_argument
    add(
        "labels",
        type=Path,
        help="description file (.yaml) of which the labels are taken, or a text file "
        "with one name a line",
    )
    add("out", type=Path, help="description file to write (.yaml)")
    add("--states", type=Path, required=True, help="file with lines 'part: state'")
    add_encoder_arguments(parser, "text encoder, e.g. HFTextEncoder", required=True)
    # Looked up on the labels of NW-UCLA and NTU-120, see docs/descriptions.md.
    for name, kind, default, text in (
        ("--k", count, 2, "states per part at the most"),
        ("--threshold", cosine, 0.4, "the least cosine similarity to the label"),
        ("--at-least", count, 3, "states of a label, however low their similarity"),
        ("--label-template", str, "{label}", "text that stands for a label"),
        ("--state-template", str, "{part} {state}", "text that stands for a state"),
    ):
        text += " (default: %(default)s)"
        add(name, type=kind, default=default, help=text)
    add("--dataset", help="the data set's name (default: that of the description file)")
    add("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    args = parser.parse_args(argv)
    for option, template, name in (
        ("--label-template", args.label_template, "{label}"),
        ("--state-template", args.state_template, "{part}"),
        ("--state-template", args.state_template, "{state}"),
    ):
        if name not in template:
            parser.error(f"{option} must contain {name}")
    if args.out.is_dir():
        parser.error(f"out, {args.out}, is a folder; give a file (.yaml)")
    if args.out.resolve() in (args.labels.resolve(), args.states.resolve()):
        parser.error(f"out, {args.out}, is read as well; give another file")
    return args


def name_of_data(path: Path) -> str:
    if path.suffix.lower() not in (".yaml", ".yml"):
        return path.stem
    # BaseLoader: a data set named `yes` is a text.
    content = yaml.load(path.read_bytes(), Loader=yaml.BaseLoader)
    return str(content.get("dataset", path.stem))


def make_header(args: argparse.Namespace, encoder: str, dataset: str, size: int) -> str:
    """Says how the file was made, without the places of this machine."""
    options = without_place(args.encoder_options).items()
    command = [
        *("python", "tools/hake_descriptions.py", args.labels.name, args.out.name),
        *("--states", args.states.name, "--encoder", args.encoder),
        *(["--encoder-options"] if options else []),
        *(f"{key}={value}" for key, value in options),
        *("--k", str(args.k), "--threshold", str(args.threshold)),
        *("--at-least", str(args.at_least)),
        *(["--dataset", args.dataset] if args.dataset else []),
        *("--label-template", args.label_template),
        *("--state-template", args.state_template),
    ]
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


@tells_errors
def main(argv: Sequence[str] | None = None) -> int:
    args = parse_args(argv)
    init_default_scope("mmaction")
    labels, dataset = read_labels(args.labels), name_of_data(args.labels)
    states = read_part_states(args.states)
    config = {"type": args.encoder, **args.encoder_options}
    encoder = build_frozen_encoder(config, args.device)
    label_texts = [args.label_template.replace("{label}", name) for name in labels]
    template = args.state_template
    state_texts = [
        template.replace("{part}", state.part).replace("{state}", state.words)
        for state in states
    ]
    of_labels = encoder.encode(label_texts).cpu()
    of_states = encoder.encode(state_texts).cpu()
    numbers = (args.k, args.threshold, args.at_least)
    nearest = nearest_states(of_labels, of_states, states, *numbers)
    classes = []
    for label, kept in zip(labels, nearest):
        fields = part_state_fields([state for state, _ in kept])
        classes.append({"label": label, **fields})
        scores = [f"{state.part} {state.words} {value:.3f}" for state, value in kept]
        print(f"{label}: {', '.join(scores)}")
    for remark in review({k: of[k] for k in ("label", "hake")} for of in classes):
        print(f"warning: {remark} (see --k, --threshold, --at-least)", file=sys.stderr)
    dataset = args.dataset or dataset
    header = make_header(args, str(without_place(config)), dataset, len(states))
    write_descriptions(args.out, dataset, classes, header)
    sizes = sorted(Counter(len(kept) for kept in nearest).items())
    table = ", ".join(f"{size}: {number}" for size, number in sizes)
    print(f"{args.out}: {len(labels)} classes; states: classes = {table}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
