#!/usr/bin/env python
"""Write one HTML page about a test run: accuracy by class, confusion, worst clips.

Examples:
    python tools/report.py work_dirs/gap --scores gap.pkl --ann-file data/nwucla.pkl \
        --out report.html
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from gap_mmaction.apis.input_format import InputFormat
from gap_mmaction.apis.input_reader import InputReader
from gap_mmaction.evaluation.class_names import load_class_names
from gap_mmaction.evaluation.score_file import ScoreFile, load_scores
from gap_mmaction.skeletons import Skeleton, get_skeleton, layouts
from gap_mmaction.utils.command_line import natural, tells_errors
from gap_mmaction.utils.config_parts import innermost_data, lookup, parse_config_text
from gap_mmaction.utils.files import write_file
from gap_mmaction.visualization import run_page


def parse_args(argv: Sequence[str] | None = None) -> argparse.Namespace:
    """Reads the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add = parser.add_argument
    add("work_dir", type=Path, metavar="WORK_DIR", help="the folder of the run")
    add("--out", type=Path, required=True, metavar="HTML")
    add("--scores", help="what tools/test.py --dump wrote")
    add("--ann-file", help="annotations of the clips tested (default: the config's)")
    add("--labels", metavar="FILE", help="description file (default: the config's)")
    add("--layout", help=f"joints: {', '.join(layouts())} (default: the config's)")
    add("--clips", type=natural, default=6, metavar="N", help="worst to show (6)")
    add("--title", help="what stands above (default: the folder)")
    args = parser.parse_args(argv)
    if args.out.suffix != ".html":
        parser.error(f"--out {args.out}: must end in .html")
    return args


def read_config(folder: Path) -> str:
    """Returns the text of the last training's config, or of a test's."""
    dated = sorted(folder.glob("*/vis_data/config.py"), reverse=True)
    # A test's leaves the texts out, and has no log of training beside it.
    dated.sort(key=lambda file: not file.with_name("scalars.json").is_file())
    files = [*dated, *sorted(folder.glob("*.py"))]
    if not files:
        raise FileNotFoundError(f"{folder}: no config of a run of tools/train.py")
    return files[0].read_text("utf-8")


def match_annotations(
    path: str, scores: ScoreFile, skeleton: Skeleton, split: str | None
) -> tuple[ScoreFile, dict[str, Any]]:
    """Reads the annotations of the samples tested, by name; names the scores by them.

    Samples without names are those of the split, in its order, if all labels agree.
    """
    form = InputFormat(skeleton, skeleton.num_coordinates, False, False)
    reader = InputReader(form, num_classes=0)
    has_names = scores.sample_ids is not None
    try:
        items = reader.read(path, path, None if has_names else split)
    except ValueError:  # without this split, all may be those tested
        items = reader.read(path, path)
    annotations = {item["frame_dir"]: item for item in items}
    if not has_names:
        labels = [item.get("label") for item in annotations.values()]
        if labels != scores.labels.tolist():
            raise ValueError(
                f"{scores.path} has no names of samples, and {path} has other labels. "
                "Pack meta_keys=('frame_dir',) in PackActionInputs and test again"
            )
        return replace(scores, sample_ids=list(annotations)), annotations
    if not annotations.keys() & set(scores.sample_ids or ()):
        raise ValueError(f"{path}: none of the samples of {scores.path} is in it")
    return scores, annotations


def describe_test(args: argparse.Namespace, config: Any, notes: list[str]) -> Any:
    """Makes the page's part on the test; what is left out is added to the notes."""
    scores = load_scores(args.scores)
    count = scores.scores.shape[1]
    annotations: dict[str, Any] = {}
    labels = args.labels or lookup(config, "model.text_branch.prompts.descriptions")
    try:
        names = load_class_names(labels, count)
    except (OSError, ValueError) as error:
        if args.labels is not None:
            raise
        notes.append(f"Classes have no names: {error}")
        names = load_class_names(None, count)
    layout = args.layout or lookup(config, "model.data_preprocessor.layout")
    layout = layout or lookup(config, "model.backbone.graph_cfg.layout")
    skeleton = None if layout is None else get_skeleton(layout)
    data = innermost_data(config.get("test_dataloader")).settings
    path = args.ann_file or data.get("ann_file")
    if skeleton is None:
        notes.append("The config names no joint layout; --layout does.")
    elif path is None or not (args.ann_file or Path(path).is_file()):
        notes.append("The clips are not drawn; --ann-file names what was tested on.")
    else:
        split = data.get("split")
        scores, annotations = match_annotations(path, scores, skeleton, split)
    clips = run_page.describe_worst(scores, names, args.clips, annotations, skeleton)
    return {"test": run_page.describe_test(scores, names), "clips": clips}


@tells_errors
def main(argv: Sequence[str] | None = None) -> int:
    """Runs the tool; a page is written whole or not at all."""
    args = parse_args(argv)
    notes: list[str] = []
    text, test = read_config(args.work_dir), {}
    if args.scores is None:
        notes.append(
            "No scores: tools/test.py CONFIG CHECKPOINT --dump scores.pkl writes them, "
            "--scores scores.pkl shows them here."
        )
    else:
        test = describe_test(args, parse_config_text(text, args.work_dir), notes)
    title = args.title or args.work_dir.resolve().name
    page = run_page.render_page(title, notes, text, **test)
    # Names of files may be no valid text.
    write_file(args.out, page.encode(errors="xmlcharrefreplace"))
    for note in notes:
        print(f"note: {note}", file=sys.stderr)
    print(f"{args.out.stat().st_size / 1e6:.1f} MB; written: {args.out}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
