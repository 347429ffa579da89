#!/usr/bin/env python
"""Time what can be chosen on a GPU, and list the kernels of a training step.

python tests/cuda/measure.py --out measured
python tests/cuda/measure.py --table measured/times.json > docs/results/gpu_times.md
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import torch
from mmaction.registry import MODELS
from mmengine.config import Config
from open_clip import factory
from torch.profiler import ProfilerActivity, profile
from torch.utils.benchmark import Timer

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

import gap_mmaction  # noqa: E402, F401
from gap_mmaction.evaluation import cost  # noqa: E402
from gap_mmaction.models.backbones import plain_path  # noqa: E402
from tests.models.text_common import TINY_CLIP  # noqa: E402

CONFIG = ROOT / "configs" / "gap" / "ctrgcn_ntu120.py"
PRECISIONS: dict[str, tuple[str, torch.dtype | None]] = {
    "float32": ("highest", None),
    "TensorFloat32": ("high", None),
    "float16": ("high", torch.float16),
    "bfloat16": ("high", torch.bfloat16),
}
CHEAP = dict(backend="aot_eager")  # to try this out
# An edge from each joint to the one before; 32 is what a tensor core's tile holds.
PADDED = dict(
    num_node=32,
    inward=[(joint, joint - 1) for joint in range(1, 32)],
    center=0,
)


class Bench:
    """Times functions on a device, and keeps the results."""

    def __init__(self, device: torch.device, small: bool, out: Path) -> None:
        self.device, self.small, self.out = device, small, out
        self.rows: list[dict[str, Any]] = []

    def time(self, work: str, function: Callable[[], object]) -> None:
        """Times a function; what fails is a result too."""
        row: dict[str, Any] = dict(work=work)
        try:
            function()  # compiles, chooses kernels
            timer = Timer("function()", globals=dict(function=function))
            row["ms"] = timer.blocked_autorange(min_run_time=0.1 if self.small else 2)
            row["ms"] = row["ms"].median * 1e3
            row["mb"] = cost.peak_memory(function, self.device)
        except RuntimeError as error:
            row["error"] = str(error)[:300]
        print(row, flush=True)
        self.rows.append(row)
        # At once, as the time may be up before the end.
        content = dict(rows=self.rows, environment=cost.environment(self.device))
        (self.out / "times.json").write_text(json.dumps(content, indent=1))

    def step(self, model: Any, batch: Any, dtype: torch.dtype | None) -> None:
        """Computes losses and gradients."""
        with self.autocast(dtype):
            losses = model(**batch, mode="loss")
        model.parse_losses(losses)[0].backward()
        model.zero_grad(set_to_none=True)

    def autocast(self, dtype: torch.dtype | None) -> Any:
        """Returns autocast to a type, or none of it; a CPU has bfloat16 alone."""
        if dtype is torch.float16 and self.device.type == "cpu":
            dtype = torch.bfloat16
        return torch.autocast(self.device.type, dtype, enabled=dtype is not None)


def read_config(small: bool) -> Config:
    """Returns the paper's config; tiny on a CPU that tries this out."""
    config = Config.fromfile(CONFIG)
    if small:
        config.model.backbone.update(base_channels=8, num_stages=3)
        config.model.backbone.update(inflate_stages=[2, 3], down_stages=[2, 3])
        config.model.cls_head.in_channels = 32
        factory._MODEL_CONFIGS["tiny"] = TINY_CLIP
        config.model.text_branch.encoder.model = "tiny"
    return config


def measure_steps(bench: Bench, clips: int, frames: int) -> None:
    """Times steps with GAP and without, by precision, form and shape of the texts."""
    config = read_config(bench.small)
    pair, batch = cost.build_pair(config, clips, frames, bench.device, True)
    for name, (precision, dtype) in PRECISIONS.items():
        torch.set_float32_matmul_precision(precision)
        for what, model in zip(("with GAP", "without"), pair):
            bench.time(f"step {what}, {name}", lambda: bench.step(model, batch, dtype))  # noqa: B023
    half = PRECISIONS["float16"][1]
    with plain_path():
        bench.time(
            "step without, float16, plain form",
            lambda: bench.step(pair[1], batch, half),
        )
    branch: Any = pair[0].text_branch
    branch.encoder.pad_to = (32, 16)
    bench.time(
        "step with GAP, float16, padded texts", lambda: bench.step(pair[0], batch, half)
    )
    branch.encoder.pad_to = None
    for mode in ("default", "reduce-overhead"):
        compiled: Any = pair[1]
        torch._dynamo.reset()
        options = dict(mode=mode) if bench.device.type == "cuda" else CHEAP
        compiled.backbone.compile(fullgraph=True, **options)

        def step() -> None:
            torch.compiler.cudagraph_mark_step_begin()
            bench.step(compiled, batch, half)  # noqa: B023

        bench.time(f"step without, float16, compiled ({mode})", step)


def measure_joints(bench: Bench, clips: int, frames: int) -> None:
    """Times the backbone with 25 joints and with 32."""
    settings = read_config(bench.small).model.backbone.to_dict()
    for joints, layout in ((25, "nturgb+d"), (32, PADDED)):
        settings["graph_cfg"]["layout"] = layout
        model = MODELS.build(settings).to(bench.device)
        x = torch.rand(clips, 2, frames, joints, 3, device=bench.device)

        def step() -> None:
            with bench.autocast(torch.float16):
                out = model(x)  # noqa: B023
            out.float().square().mean().backward()
            model.zero_grad(set_to_none=True)  # noqa: B023

        bench.time(f"backbone, float16, {joints} joints", step)


def list_kernels(bench: Bench, clips: int, frames: int) -> str:
    """Returns the table of a step's kernels."""
    config = read_config(bench.small)
    (model, _), batch = cost.build_pair(config, clips, frames, bench.device, True)
    half = PRECISIONS["float16"][1]
    bench.step(model, batch, half)
    kinds, key = [ProfilerActivity.CPU], "self_cpu_time_total"
    if bench.device.type == "cuda":
        kinds, key = [*kinds, ProfilerActivity.CUDA], "self_cuda_time_total"
    with profile(activities=kinds) as found:
        bench.step(model, batch, half)
    return found.key_averages().table(sort_by=key, row_limit=25)


def table(path: Path) -> Iterator[str]:
    """Yields the lines of a table of what was measured."""
    content = json.loads(path.read_text())
    yield ", ".join(f"{key} {value}" for key, value in content["environment"].items())
    yield "\n| work | ms | MB |\n|---|---:|---:|"
    for row in content["rows"]:
        memory = f"{row['mb']:.0f}" if row.get("mb") else "-"
        yield (
            f"| {row['work']} | {row['ms']:.1f} | {memory} |"
            if "ms" in row
            else (f"| {row['work']} | {row['error']} | - |")
        )


def main(argv: list[str] | None = None) -> None:
    """Measures, or prints what was measured."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--device", default="cuda")
    parser.add_argument("--small", action="store_true", help="tiny, to try it out")
    parser.add_argument("--out", type=Path, default=Path("measured"), metavar="FOLDER")
    parser.add_argument("--table", type=Path, metavar="TIMES.json")
    args = parser.parse_args(argv)
    if args.table:
        print("\n".join(table(args.table)))
        return
    device = torch.device(args.device)
    args.out.mkdir(parents=True, exist_ok=True)
    bench = Bench(device, args.small, args.out)
    size = (2, 8) if args.small else (25, 64)
    (args.out / "kernels.txt").write_text(list_kernels(bench, *size))
    measure_steps(bench, *size)
    measure_joints(bench, *size)


if __name__ == "__main__":
    main()
