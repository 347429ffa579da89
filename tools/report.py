#!/usr/bin/env python
"""Write one HTML page about a run: curves, confusion, classes, worst clips.

Examples:
    python tools/report.py work_dirs/gap --out report.html
    python tools/report.py work_dirs/gap --scores gap.pkl --ann-file data/nwucla.pkl \
        --out report.html
"""

from __future__ import annotations

import argparse
import pickle
import sys
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from gap_mmaction.evaluation.class_names import load_class_names
from gap_mmaction.evaluation.score_file import ScoreFile, load_scores
from gap_mmaction.models.text.descriptions import DescriptionError
from gap_mmaction.report import ReportSources, RunFolder, render_report
from gap_mmaction.skeletons import Skeleton, get_skeleton, layouts
from gap_mmaction.utils.atomic_file import atomic_file
from gap_mmaction.utils.command_line import natural
from gap_mmaction.utils.config_text import lookup
from gap_mmaction.utils.loader_data import innermost_data
from gap_mmaction.utils.restricted_pickle import load_annotations

ERRORS = (ValueError, OSError, TypeError, pickle.UnpicklingError)


def parse_args(argv: Sequence[str] | None = None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("work_dir", metavar="WORK_DIR", help="the folder of the run")
    parser.add_argument("--out", type=Path, required=True, metavar="HTML")
    parser.add_argument("--scores", help="what tools/test.py --dump wrote")
    parser.add_argument(
        "--ann-file",
        help="annotations of the clips tested, to show the worst (default: those of "
        "the run's config, if they are there)",
    )
    parser.add_argument(
        "--labels",
        metavar="FILE",
        help="names of the classes: a description file, or the name of one that ships "
        "(default: that of the run's text branch)",
    )
    parser.add_argument(
        "--layout",
        help=f"of the joints: {', '.join(layouts())} (default: that of the config)",
    )
    parser.add_argument(
        "--clips",
        type=natural,
        default=6,
        metavar="N",
        help="how many of the worst clips to show (default: %(default)s)",
    )
    parser.add_argument("--title", help="what stands above (default: the folder)")
    args = parser.parse_args(argv)
    if args.out.suffix != ".html":
        parser.error(f"--out {args.out}: must end in .html")
    return args


def find_names(args: argparse.Namespace, run: RunFolder, count: int) -> list[str]:
    """Find the names of the classes; without any they are called by their number."""
    if args.labels is not None:
        return load_class_names(args.labels, count)
    file = lookup(run.config, "model.text_branch.prompts.descriptions")
    try:
        return load_class_names(file if isinstance(file, str) else None, count)
    except (OSError, DescriptionError, ValueError) as error:
        print(f"note: classes have no names: {error}", file=sys.stderr)
        return load_class_names(None, count)


def find_skeleton(args: argparse.Namespace, run: RunFolder) -> Skeleton | None:
    """Find the joint layout; None where nothing names it."""
    if args.layout is not None:
        return get_skeleton(args.layout)
    for key in ("model.data_preprocessor.layout", "model.backbone.graph_cfg.layout"):
        layout = lookup(run.config, key)
        if layout is not None:
            return get_skeleton(layout)
    return None


def read_annotations(
    path: str, scores: ScoreFile, split: Any
) -> tuple[ScoreFile, dict[str, Mapping[str, Any]]]:
    """Read the annotations of the samples tested, by name.

    Args:
        path: The annotation file.
        scores: Of the samples. Where they have no names, they are those of the split,
            in its order, if number and labels agree.
        split: The split tested on, or None.

    Returns:
        The scores with names, and the annotations.

    Raises:
        ValueError: If it is no annotation file, or of other samples.
    """
    content = load_annotations(path)
    items = content.get("annotations") if isinstance(content, dict) else content
    if not isinstance(items, list) or not all(isinstance(i, dict) for i in items):
        raise ValueError(f"{path}: no list of annotations is in it")
    annotations = {
        str(item.get("filename", item.get("frame_dir"))): item for item in items
    }
    if scores.sample_ids is None:
        splits = content.get("split") if isinstance(content, dict) else None
        members = set((splits or {}).get(split) or annotations)
        names = [name for name in annotations if name in members]
        labels = [annotations[name].get("label") for name in names]
        if labels != scores.labels.tolist():
            raise ValueError(
                f"{scores.path} has no names of samples, and the labels in {path} are "
                "not those of its samples in order. Pack names with "
                "meta_keys=('frame_dir',) in PackActionInputs and test again, or leave "
                "--ann-file out"
            )
        scores = replace(scores, sample_ids=names)
    wanted = set(scores.sample_ids or ())
    found = {name: item for name, item in annotations.items() if name in wanted}
    if not found:
        raise ValueError(
            f"{path}: none of the samples of {scores.path} is in it; give the "
            "annotations that were tested on"
        )
    return scores, found


def gather(args: argparse.Namespace) -> ReportSources:
    """Read all that there is."""
    run = RunFolder.read(args.work_dir)
    if args.scores is None:
        return ReportSources(run, title=args.title)
    scores = load_scores(args.scores)
    skeleton = find_skeleton(args, run)
    problem = ""
    annotations: dict[str, Mapping[str, Any]] = {}
    dataset = innermost_data(run.config.get("test_dataloader")).settings
    path = args.ann_file
    if path is None:
        path = dataset.get("ann_file")
        path = path if isinstance(path, str) and Path(path).is_file() else None
    if skeleton is None:
        problem = "The config names no joint layout; --layout does."
    elif path is None:
        problem = (
            "The clips are not shown, as the annotations are not there; --ann-file "
            "names the file that was tested on."
        )
    else:
        scores, annotations = read_annotations(path, scores, dataset.get("split"))
    return ReportSources(
        run,
        scores,
        find_names(args, run, scores.scores.shape[1]),
        annotations,
        skeleton,
        args.clips,
        args.title,
        {"movies": problem},
    )


def main(argv: Sequence[str] | None = None) -> int:
    """Run the tool.

    Returns:
        The exit status: 0, or 1 where something cannot be read; then no page is
        written.
    """
    args = parse_args(argv)
    try:
        sources = gather(args)
        page = render_report(sources)
        with atomic_file(args.out) as stream:
            # Names of files may be no valid text.
            stream.write(page.encode(errors="xmlcharrefreplace"))
    except ERRORS as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    for problem in (*sources.run.problems.values(), *sources.problems.values()):
        if problem:
            print(f"note: {problem}", file=sys.stderr)
    if sources.scores is None:
        print("note: no scores of a test: --scores", file=sys.stderr)
    print(f"{args.out.stat().st_size / 1e6:.1f} MB; written: {args.out}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
