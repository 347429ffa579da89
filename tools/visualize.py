#!/usr/bin/env python
"""Show a skeleton clip as a movie or a contact sheet, and what a model says of it.

Examples:
    python tools/visualize.py a02_s03_e01_v03.json --layout nw-ucla --out clip.gif
    python tools/visualize.py data/nwucla.pkl --name a02_s03_e01_v03 --out clip.png \
        --config configs/gap/ctrgcn_nwucla_cpu.py --checkpoint best.pth
"""

from __future__ import annotations

import argparse
import difflib
import pickle
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from mmengine.config import Config

from gap_mmaction.apis import SkeletonInferencer, SkeletonResult
from gap_mmaction.apis.input_format import InputFormat
from gap_mmaction.apis.input_reader import InputReader
from gap_mmaction.evaluation.class_names import load_class_names
from gap_mmaction.models.text.descriptions import load_descriptions
from gap_mmaction.skeletons import Skeleton, get_skeleton, layouts
from gap_mmaction.utils.atomic_file import save_png
from gap_mmaction.utils.command_line import count, positive
from gap_mmaction.utils.config_options import add_cfg_options
from gap_mmaction.utils.paths import find_description_file
from gap_mmaction.utils.shipped_models import add_model_arguments, read_model_config
from gap_mmaction.visualization.clip_picture import ClipPicture, spread_frames
from gap_mmaction.visualization.movie_file import MAX_GIF_FPS, write_gif, write_mp4
from gap_mmaction.visualization.part_colours import PartColours
from gap_mmaction.visualization.skeleton_clip import SkeletonClip
from gap_mmaction.visualization.view import AZIMUTH, ELEVATION, UP_AXES, View

ERRORS = (ValueError, TypeError, OSError, KeyError, RuntimeError)
SUFFIXES = (".gif", ".mp4", ".png")
NTU_CLASSES = 60


def parse_args(argv: Sequence[str] | None = None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "input",
        help=".skeleton of NTU RGB+D; .json of NW-UCLA or of mmpose; .mat of UTD-MHAD; "
        ".txt of MSR-Action3D or SBU; annotations or mmpose's results as .pkl; an "
        "array as .npy (docs/inference.md)",
    )
    parser.add_argument(
        "--name", help="of an annotation file, the sequence to show (its frame_dir)"
    )
    parser.add_argument(
        "--out", type=Path, required=True, help="movie .gif or .mp4, or sheet .png"
    )
    model = parser.add_argument_group("model")
    add_model_arguments(model)
    model.add_argument("--device", default="cpu", help="(default: %(default)s)")
    model.add_argument(
        "--top-k", type=count, default=5, metavar="K", help="classes to show (5)"
    )
    model.add_argument(
        "--no-parts",
        action="store_true",
        help="leave the similarity of parts and texts out, as for a checkpoint "
        "without a text branch",
    )
    model.add_argument(
        "--labels",
        metavar="FILE",
        help="names of the classes: a description file, or the name of one that ships "
        "(default: that of the config's text branch)",
    )
    model.add_argument(
        "--img-shape",
        type=count,
        nargs=2,
        metavar=("HEIGHT", "WIDTH"),
        help="of the pictures that 2D joints were found in, where the input does not "
        "tell",
    )
    add_cfg_options(model)
    look = parser.add_argument_group("look")
    look.add_argument(
        "--layout", help=f"joint layout without a config: {', '.join(layouts())}"
    )
    look.add_argument(
        "--parts",
        nargs="+",
        metavar="PART",
        help="parts of the layout to colour (default: head, hand-arm, hip, leg-foot)",
    )
    look.add_argument(
        "--up", choices=UP_AXES, help="axis that points upwards (default: as found)"
    )
    look.add_argument(
        "--azimuth",
        type=float,
        default=AZIMUTH,
        metavar="DEGREES",
        help="how far to go round the body to the right (default: %(default)g)",
    )
    look.add_argument(
        "--elevation",
        type=float,
        default=ELEVATION,
        metavar="DEGREES",
        help="how far to go up (default: %(default)g)",
    )
    look.add_argument(
        "--fps", type=positive, default=25.0, help="of a movie (default: %(default)g)"
    )
    look.add_argument(
        "--frames",
        type=count,
        metavar="N",
        help="how many to show, spread over the clip (default: all; 12 on a sheet)",
    )
    args = parser.parse_args(argv)
    if args.out.suffix not in SUFFIXES:
        parser.error(f"--out {args.out}: must end in {', '.join(SUFFIXES)}")
    if args.checkpoint is not None and args.config is None:
        parser.error("--checkpoint needs --config")
    if args.config is None and args.layout is None and args.model is None:
        parser.error("give --layout, or the --config of a model")
    if args.out.suffix == ".gif" and args.fps > MAX_GIF_FPS:
        parser.error(f"--fps {args.fps:g}: a GIF has at most {MAX_GIF_FPS}")
    return args


def choose(
    annotations: Sequence[dict[str, Any]], name: str | None, path: str
) -> dict[str, Any]:
    """Take one sequence of an input.

    Raises:
        ValueError: If there are several and no name, or none of this name.
    """
    names = [annotation["frame_dir"] for annotation in annotations]
    if name is None:
        if len(annotations) == 1:
            return annotations[0]
        raise ValueError(
            f"{path}: holds {len(names):,} sequences, choose one with --name, such as "
            f"{names[0]}"
        )
    if name not in names:
        near = difflib.get_close_matches(name, names, n=3) or names[:3]
        raise ValueError(
            f"{path}: no sequence {name!r} among {len(names):,}; there are "
            f"{', '.join(near)}"
        )
    return annotations[names.index(name)]


def read_without_model(args: argparse.Namespace, skeleton: Skeleton) -> dict[str, Any]:
    """Read the sequence of an input, checked, by its layout alone."""
    flat = skeleton.num_coordinates == 2
    form = InputFormat(skeleton, skeleton.num_coordinates, flat, False)
    found = InputReader(form, NTU_CLASSES).read(args.input, args.input)
    annotation = choose(found, args.name, args.input)
    if annotation.get("keypoint_score") is None:
        form = replace(form, has_score=False)
    name = annotation["frame_dir"]
    if name == args.input:
        name = Path(name).name
    complete = form.complete(annotation, name)
    return {**complete, "label": annotation.get("label")}


def load_names(labels: str | None, config: Config | None) -> list[str] | None:
    """Find the names of the classes; None where nothing says them."""
    if labels is None and config is not None:
        branch = config.model.get("text_branch") or {}
        labels = (branch.get("prompts") or {}).get("descriptions")
    if labels is None:
        return None
    if config is not None:
        return load_class_names(labels, config.model.cls_head.num_classes)
    actions = load_descriptions(find_description_file(labels))
    return [action.label for action in actions]


def make_picture(args: argparse.Namespace) -> ClipPicture:
    """Read the sequence and, where there is a checkpoint, run the model."""
    config = inferencer = result = None
    slot_parts: dict[str, str] = {}
    if args.config is not None or args.model is not None:
        config = read_model_config(args, required=False)
    names = load_names(args.labels, config)
    if config is not None and args.checkpoint is not None:
        inferencer = SkeletonInferencer(
            config, args.checkpoint, args.device, labels=names, top_k=args.top_k
        )
    if config is not None:
        skeleton = InputFormat.from_config(config).skeleton
    else:
        skeleton = get_skeleton(args.layout)
    annotation = read_without_model(args, skeleton)
    if inferencer is not None:
        result = predict(inferencer, annotation, args)
        if result.parts:
            slots = inferencer.load_text_branch().branch.prompts.slots
            slot_parts = {slot.name: slot.joints for slot in slots}
    clip = SkeletonClip.from_annotation(annotation, skeleton)
    parts = args.parts
    if parts is None and slot_parts:
        parts = list(slot_parts.values())
    label_name = None
    if clip.label is not None:
        known = names is not None and clip.label < len(names)
        label_name = names[clip.label] if names and known else str(clip.label)
    return ClipPicture(
        clip,
        View.of(clip, args.up, args.azimuth, args.elevation),
        PartColours.of(skeleton, parts),
        result,
        label_name,
        slot_parts,
    )


def predict(
    inferencer: SkeletonInferencer, annotation: dict[str, Any], args: argparse.Namespace
) -> SkeletonResult:
    """Run the model on one annotation."""
    shape = None if args.img_shape is None else tuple(args.img_shape)
    branch = inferencer.config.model.get("text_branch") or {}
    sample = inferencer.prepare(annotation, shape, args.input)
    (result,) = inferencer.predict([sample], "prompts" in branch and not args.no_parts)
    return result


def main(argv: Sequence[str] | None = None) -> int:
    """Run the tool.

    Returns:
        The exit status: 0, or 1 where the input or the model cannot be read.
    """
    args = parse_args(argv)
    try:
        picture = make_picture(args)
        total = picture.clip.num_frames
        if args.out.suffix == ".png":
            frames = spread_frames(total, args.frames or 12)
            save_png(picture.sheet(frames), args.out)
        else:
            frames = spread_frames(total, args.frames or total)
            write = write_gif if args.out.suffix == ".gif" else write_mp4
            write(picture.movie(frames), args.out, args.fps)
    except (*ERRORS, pickle.UnpicklingError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    result = picture.result
    if result is not None:
        for name, score in zip(result.top_names, result.top_scores):
            print(f"{score:6.3f}  {name}")
    print(f"{len(frames)} of {total} frames; written: {args.out}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
