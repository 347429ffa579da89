#!/usr/bin/env python
r"""Export a model to ONNX or TorchScript, and check it against torch.

The file takes clips of joints [batch, clips, persons, frames, joints, axes], as the
test pipeline gives them, and gives scores [batch, classes]. Batch, clips and persons
are free; the number of frames is that of the config's clips.

Examples:
    python tools/export_onnx.py configs/gap/ctrgcn_nwucla_cpu.py epoch_40.pth gap.onnx \
        --ann-file data/nwucla.pkl --benchmark
    python tools/export_onnx.py CONFIG FILE.safetensors gap.pt --format torchscript
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

import torch
from mmengine.config import Config
from torch import nn

from gap_mmaction.apis import load_model
from gap_mmaction.deploy.clip_scorer import AVERAGES
from gap_mmaction.deploy.clips import Clips, dataset_clips, frames_of, generated_clips
from gap_mmaction.deploy.export import FORMATS, Exporter, Parity, metadata_of
from gap_mmaction.deploy.exported_model import require_onnx
from gap_mmaction.evaluation.cost import environment
from gap_mmaction.utils.command_line import (
    add_cfg_options,
    count,
    natural,
    positive,
    read_config,
    tells_errors,
)
from gap_mmaction.utils.config_parts import annotated_data
from gap_mmaction.utils.files import write_file


def parse_args(argv: Sequence[str] | None = None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("config", help="config file")
    parser.add_argument("checkpoint", type=Path, help=".pth or .safetensors")
    parser.add_argument("out", type=Path, help="file to write")
    parser.add_argument("--format", choices=FORMATS, default="onnx", help="(onnx)")
    parser.add_argument(
        "--average-clips",
        choices=AVERAGES,
        help="the mean of the probabilities or of the scores of a sample's clips, or "
        "their raw scores [batch, clips, classes] (default: what tools/test.py does, "
        "model.cls_head.average_clips, which is `prob` if it is not set)",
    )
    parser.add_argument(
        "--ann-file",
        help="annotations whose test split it is checked with (default: those of the "
        "config where they are there, else generated clips)",
    )
    parser.add_argument("--generated", action="store_true", help="generate the clips")
    parser.add_argument(
        "--clips",
        type=natural,
        default=64,
        help="sequences to check with, 0 for all of the split (default: %(default)s)",
    )
    parser.add_argument(
        "--frames",
        type=count,
        help="frames of a clip, where the config's test pipeline does not say it and "
        "clips are generated",
    )
    parser.add_argument("--no-fold", action="store_true", help="keep normalizations")
    parser.add_argument(
        "--tolerance",
        type=positive,
        default=1e-4,
        help="largest difference of scores, in units of the largest one if that is "
        "above 1 (default: %(default)s)",
    )
    parser.add_argument("--opset", type=count, help="version of ONNX's operators")
    parser.add_argument("--benchmark", action="store_true", help="time it beside torch")
    parser.add_argument("--pairs", type=count, default=9, help="how often to time (9)")
    parser.add_argument("--report", type=Path, help="write all figures to this .json")
    add_cfg_options(parser)
    args = parser.parse_args(argv)
    if args.generated and args.ann_file is not None:
        parser.error("--ann-file and --generated exclude each other")
    if args.benchmark and args.pairs < 2:
        parser.error("--pairs: must be 2 or more")
    return args


def clips_for(args: argparse.Namespace, cfg: Config, model: nn.Module) -> Clips:
    """Returns the clips to check with: of a test set, or made up."""
    generate = args.generated
    if not generate and args.ann_file is None:
        settings = annotated_data(cfg, "test_dataloader").settings
        generate = not Path(settings["ann_file"]).is_file()
    if not generate:
        return dataset_clips(cfg, args.clips or None, args.ann_file)
    frames = args.frames or frames_of(cfg)
    if frames is None:
        raise ValueError(
            f"{args.config}: no clip_len in test_dataloader.dataset.pipeline; give "
            "--frames, the number of frames of a clip"
        )
    return generated_clips(cfg, model, frames, args.clips or 64)


@tells_errors
def main(argv: Sequence[str] | None = None) -> int:
    """Runs the tool; returns 1 where something does not fit or the scores differ."""
    args = parse_args(argv)
    if args.format == "onnx":
        require_onnx()
    cfg = read_config(args.config, args.cfg_options)
    model = load_model(cfg, args.checkpoint)
    exporter = Exporter(
        model,
        clips_for(args, cfg, model),
        form=args.format,
        average=args.average_clips or "",
        fold=not args.no_fold,
        tolerance=args.tolerance,
        opset=args.opset,
    )
    exporter.export(args.out, metadata_of(cfg, args.checkpoint))
    print_report(exporter)
    if args.benchmark:
        rows = [exporter.measure(batch, args.pairs) for batch in (1, 16)]
        exporter.report["latency"] = rows
        for row in rows:
            print(
                f"latency, {row['batch']} at a time: {args.format} "
                f"{row['exported_ms']:.2f} ms, torch {row['torch_ms']:.2f} ms per "
                f"sequence (ratio {row['ratio']:.2f}), one thread"
            )
    if args.report is not None:
        content = {**exporter.report, "clips": exporter.clips.source}
        content["environment"] = environment(torch.device("cpu"))
        write_file(args.report, json.dumps(content, default=asdict, indent=2) + "\n")
    return 0


def print_report(exporter: Exporter) -> None:
    """Says what was checked."""
    report = exporter.report
    clips, persons, frames, joints, axes = exporter.clips.shape
    print(f"{report['file']}: {report['size'] / 2**20:.1f} MiB, {report['sha256']}")
    print(
        f"input [batch, clips, persons, {frames}, {joints}, {axes}], average of clips: "
        f"{exporter.average}"
    )
    if counts := report.get("batch_norms"):
        print(
            f"batch normalizations: {counts['folded']} folded into convolutions, "
            f"{counts['left']} left as they are"
        )
    source = exporter.clips.source
    print(f"checked with {source}, {clips} clips, {persons} persons each")
    for name, value in report.items():
        if isinstance(value, Parity):
            print(f"{name}: {value}")


if __name__ == "__main__":
    sys.exit(main())
