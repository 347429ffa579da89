#!/usr/bin/env python
"""Show a skeleton clip as a movie or a contact sheet, and what a model says of it.

Examples:
    python tools/visualize.py a02_s03_e01_v03.json --layout nw-ucla --out clip.gif
    python tools/visualize.py data/nwucla.pkl --name a02_s03_e01_v03 --out clip.png \
        --config configs/gap/ctrgcn_nwucla_cpu.py --checkpoint best.pth
    python tools/visualize.py long.csv --timeline --model utd_mhad --out long.gif
"""

from __future__ import annotations

import argparse
import difflib
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from mmengine.config import Config

from gap_mmaction.apis import ActionTimeline, Segment, SkeletonInferencer
from gap_mmaction.apis.input_format import InputFormat
from gap_mmaction.apis.input_reader import InputReader
from gap_mmaction.evaluation.class_names import load_class_names
from gap_mmaction.models.text.descriptions import load_descriptions
from gap_mmaction.skeletons import Skeleton, get_skeleton, layouts
from gap_mmaction.utils.command_line import (
    add_cfg_options,
    count,
    positive,
    tells_errors,
)
from gap_mmaction.utils.files import find_description_file, save_png
from gap_mmaction.utils.shipped_models import add_model_arguments, read_model_config
from gap_mmaction.visualization.clip_picture import ClipPicture, spread_frames
from gap_mmaction.visualization.movie_file import MAX_GIF_FPS, write_gif, write_mp4
from gap_mmaction.visualization.skeleton_clip import (
    AZIMUTH,
    ELEVATION,
    UP_AXES,
    SkeletonClip,
    View,
)
from gap_mmaction.visualization.skeleton_panel import PartColours

SUFFIXES = (".gif", ".mp4", ".png")
NTU_CLASSES = 60
RATE = 30.0  # frames a second, where the input does not tell


def parse_args(argv: Sequence[str] | None = None) -> argparse.Namespace:
    """Reads the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add = parser.add_argument
    add(
        "input",
        help=".skeleton of NTU RGB+D; .json of NW-UCLA; .mat of UTD-MHAD; .txt of "
        "MSR-Action3D or SBU; what a pose estimator wrote; annotations as .pkl; an "
        "array as .npy (docs/inference.md)",
    )
    add("--name", help="of an annotation file, the sequence to show (its frame_dir)")
    add("--out", type=Path, required=True, help="movie .gif or .mp4, or sheet .png")
    model = parser.add_argument_group("model")
    add = model.add_argument
    add_model_arguments(model)
    add("--device", default="cpu", help="(default: %(default)s)")
    add("--top-k", type=count, default=5, metavar="K", help="classes to show (5)")
    parts = "leave out what needs a checkpoint with a text branch: similarity to texts"
    add("--no-parts", action="store_true", help=parts)
    timeline = "draw which action is done when, by windows of the input"
    add("--timeline", action="store_true", help=timeline)
    labels = "description file, or the name of one that ships (default: the config's)"
    add("--labels", metavar="FILE", help=labels)
    shape = "of the pictures that 2D joints were found in, if the input does not tell"
    size = ("HEIGHT", "WIDTH")
    add("--img-shape", type=count, nargs=2, metavar=size, help=shape)
    add_cfg_options(model)
    look = parser.add_argument_group("look")
    add = look.add_argument
    add("--layout", help=f"joint layout without a config: {', '.join(layouts())}")
    parts = "parts of the layout to colour (default: head, hand-arm, hip, leg-foot)"
    add("--parts", nargs="+", metavar="PART", help=parts)
    add("--up", choices=UP_AXES, help="axis that points upwards (default: as found)")
    for name, default, way in (
        ("--azimuth", AZIMUTH, "go round the body to the right"),
        ("--elevation", ELEVATION, "go up"),
    ):
        text = f"how far to {way} (default: %(default)g)"
        add(name, type=float, default=default, metavar="DEGREES", help=text)
    add("--fps", type=positive, default=25.0, help="of a movie (default: %(default)g)")
    frames = "how many to show, spread over the clip (default: all; 12 on a sheet)"
    add("--frames", type=count, metavar="N", help=frames)
    args = parser.parse_args(argv)
    if args.out.suffix not in SUFFIXES:
        parser.error(f"--out {args.out}: must end in {', '.join(SUFFIXES)}")
    if args.checkpoint is not None and args.config is None:
        parser.error("--checkpoint needs --config")
    if args.config is None and args.layout is None and args.model is None:
        parser.error("give --layout, or the --config of a model")
    if args.timeline and args.model is None and args.checkpoint is None:
        parser.error("--timeline needs --model, or --config and --checkpoint")
    if args.out.suffix == ".gif" and args.fps > MAX_GIF_FPS:
        parser.error(f"--fps {args.fps:g}: a GIF has at most {MAX_GIF_FPS}")
    return args


def choose(
    annotations: Sequence[dict[str, Any]], name: str | None, path: str
) -> dict[str, Any]:
    """Takes one sequence of an input, which needs a name among several."""
    names = [annotation["frame_dir"] for annotation in annotations]
    if name is None:
        if len(annotations) == 1:
            return annotations[0]
        several = f"{path}: holds {len(names):,} sequences, choose one with --name"
        raise ValueError(f"{several}, such as {names[0]}")
    if name not in names:
        near = difflib.get_close_matches(name, names, n=3) or names[:3]
        none = f"{path}: no sequence {name!r} among {len(names):,}"
        raise ValueError(f"{none}; there are {', '.join(near)}")
    return annotations[names.index(name)]


def read_annotation(args: argparse.Namespace, skeleton: Skeleton) -> dict[str, Any]:
    """Reads the sequence of an input, checked, by its layout alone."""
    flat = skeleton.num_coordinates == 2
    form = InputFormat(skeleton, skeleton.num_coordinates, flat, False)
    reader = InputReader(form, NTU_CLASSES)
    found = reader.read(args.input, args.input, img_shape=args.img_shape)
    annotation = choose(found, args.name, args.input)
    if annotation.get("keypoint_score") is None:
        form = replace(form, has_score=False)
    name = annotation["frame_dir"]
    name = Path(name).name if name == args.input else name
    label = annotation.get("label")
    return {**form.complete(annotation, name), "label": label}


def load_names(labels: str | None, config: Config | None) -> list[str] | None:
    """Finds the names of the classes; None where nothing says them."""
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
    """Reads the sequence and, where there is a checkpoint, runs the model."""
    config, result, parts = None, None, args.parts
    if args.config is not None or args.model is not None:
        config = read_model_config(args, required=False)
    names = load_names(args.labels, config)
    if config is None:
        skeleton = get_skeleton(args.layout)
    else:
        skeleton = InputFormat.from_config(config).skeleton
    annotation = read_annotation(args, skeleton)
    total = np.shape(annotation["keypoint"])[1]
    slot_parts: dict[str, str] = {}
    segments: list[Segment] = []
    times = np.asarray(annotation.get("times", np.arange(total) / RATE))
    shape = None if args.img_shape is None else tuple(args.img_shape)
    if args.timeline:
        inferencer = SkeletonInferencer(config, args.checkpoint, args.device, names)
        timeline = ActionTimeline(inferencer, img_shape=shape)
        segments = timeline.run(annotation, times)
    elif config is not None and args.checkpoint is not None:
        inferencer = SkeletonInferencer(
            config, args.checkpoint, args.device, labels=names, top_k=args.top_k
        )
        sample = inferencer.prepare(annotation, shape, args.input)
        branch = config.model.get("text_branch") or {}
        with_parts = "prompts" in branch and not args.no_parts
        (result,) = inferencer.predict([sample], with_parts)
        if result.parts:
            slots = inferencer.load_text_branch().branch.prompts.slots
            slot_parts = {slot.name: slot.joints for slot in slots}
            parts = parts or list(slot_parts.values())
    clip = SkeletonClip.from_annotation(annotation, skeleton)
    label_name = None
    if clip.label is not None:
        label_name = dict(enumerate(names or ())).get(clip.label, str(clip.label))
    view = View.of(clip, args.up, args.azimuth, args.elevation)
    colours = PartColours.of(skeleton, parts)
    return ClipPicture(
        clip=clip,
        view=view,
        colours=colours,
        result=result,
        label_name=label_name,
        slot_parts=slot_parts,
        segments=segments,
        times=times.tolist(),
    )


@tells_errors
def main(argv: Sequence[str] | None = None) -> int:
    """Runs the tool."""
    args = parse_args(argv)
    picture = make_picture(args)
    total = picture.clip.num_frames
    if args.out.suffix == ".png":
        frames = spread_frames(total, args.frames or 12)
        save_png(picture.sheet(frames), args.out)
    else:
        frames = spread_frames(total, args.frames or total)
        write = write_gif if args.out.suffix == ".gif" else write_mp4
        write(picture.movie(frames), args.out, args.fps)
    result = picture.result
    if result is not None:
        for name, score in zip(result.top_names, result.top_scores):
            print(f"{score:6.3f}  {name}")
    for one in picture.segments:
        print(one)
    print(f"{len(frames)} of {total} frames; written: {args.out}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
