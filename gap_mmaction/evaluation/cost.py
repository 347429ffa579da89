"""What models cost: time and memory beside each other, and operations."""

from __future__ import annotations

import ctypes
import gc
import json
import platform
import statistics
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from mmaction.registry import MODELS
from mmaction.structures import ActionDataSample
from mmengine.config import Config
from mmengine.registry import init_default_scope
from torch import nn
from torch.utils.benchmark import timer as synchronized_clock
from torch.utils.flop_counter import FlopCounterMode

from gap_mmaction.models.backbones import plain_path
from gap_mmaction.skeletons import get_skeleton
from gap_mmaction.utils.files import write_file
from gap_mmaction.version import __version__

Work = Callable[[], object]


def compare(
    ours: Work, other: Work, pairs: int, device: torch.device
) -> dict[str, float]:
    """Times two functions in turns, so that what disturbs one disturbs the other too.

    Each is run once before and timed in 2 or more pairs, on a CPU in processor time.
    Returns the medians in ms, and median and quartiles of how many times faster ours
    is in each pair.
    """
    clock = time.process_time if device.type == "cpu" else synchronized_clock
    times: list[list[float]] = [[], []]
    for _ in range(pairs + 1):
        for work, of_work in zip((ours, other), times):
            begin = clock()
            work()
            of_work.append((clock() - begin) * 1e3)
    pairs_ms = list(zip(*times))[1:]
    ratios = [other_ms / own_ms for own_ms, other_ms in pairs_ms]
    low, ratio, high = statistics.quantiles(ratios, n=4, method="inclusive")
    medians = map(statistics.median, zip(*pairs_ms))
    names = ("ours_ms", "other_ms", "ratio", "ratio_low", "ratio_high")
    return dict(zip(names, (*medians, ratio, low, high)))


def peak_memory(work: Work, device: torch.device) -> float | None:
    """Returns the most memory, in MB, that a function adds; ``None`` if unknown."""
    gc.collect()
    if device.type == "cuda":
        held = torch.cuda.memory_allocated(device)
        torch.cuda.reset_peak_memory_stats(device)
        work()
        return (torch.cuda.max_memory_allocated(device) - held) / 1e6
    try:  # on Linux: resident memory, without what the C library keeps for later
        ctypes.CDLL("libc.so.6").malloc_trim(0)
        Path("/proc/self/clear_refs").write_text("5")
    except (OSError, AttributeError):
        return None

    def status(key: str) -> float:
        _, after = Path("/proc/self/status").read_text().split(f"{key}:")
        return int(after.split()[0]) * 1.024e-3

    before = status("VmRSS")
    work()
    return status("VmHWM") - before


def count_flops(work: Work) -> int:
    """Counts a function's matrix products and convolutions; multiply-adds are two."""
    with plain_path(), FlopCounterMode(display=False) as counter:
        work()
    return int(counter.get_total_flops())


def build_pair(
    config: Config, clips: int, frames: int, device: torch.device, training: bool
) -> tuple[list[nn.Module], dict[str, Any]]:
    """Builds a recognizer with the text branch and one without, of the same weights.

    Text encoders have random weights in place of those that would be downloaded, which
    cost the same. For testing neither has a text branch, as in ``tools/test.py``.
    Returns both, and for them a batch of labelled clips.
    """
    init_default_scope("mmaction")
    if not config.model.get("text_branch"):
        what = "model.text_branch is not set; give a config with GAP"
        raise ValueError(f"{config.filename}: {what}")
    models = []
    for with_text in (True, False):
        settings = config.model.to_dict()
        if not (with_text and training):
            settings["text_branch"] = None
        elif "pretrained" in (settings["text_branch"].get("encoder") or {}):
            settings["text_branch"]["encoder"]["pretrained"] = None
        torch.manual_seed(0)
        model = MODELS.build(settings)
        if settings["text_branch"]:
            model.text_branch.compute_features()
        models.append(model.to(device).train(training))
    # Of both the same weights, or one of them might have more zeros to work with.
    models[1].load_state_dict(models[0].state_dict())
    backbone = config.model.backbone.get("model") or config.model.backbone  # of a hook
    persons = backbone.get("num_person", 2)
    joints = get_skeleton(config.model.data_preprocessor.layout).num_joints
    inputs = torch.randn(clips, 1, persons, frames, joints, 3, device=device)
    labels = torch.arange(clips, device=device) % config.model.cls_head.num_classes
    samples = [ActionDataSample().set_gt_label(label) for label in labels]
    return models, dict(inputs=inputs, data_samples=samples)


def run_recognizer(model: Any, batch: dict[str, Any], amp: bool = False) -> None:
    """Computes a batch's losses and their gradients, or scores, by the model's mode."""
    device = batch["inputs"].device.type
    with torch.set_grad_enabled(model.training):
        with torch.autocast(device, torch.bfloat16, enabled=amp):
            out = model(**batch, mode="loss" if model.training else "predict")
        if model.training:
            model.parse_losses(out)[0].backward()
            model.zero_grad(set_to_none=True)


def environment(device: torch.device) -> dict[str, Any]:
    """Returns what a measurement was made on: device, threads, versions."""
    name = platform.processor() or platform.machine()
    if device.type == "cuda":
        name = torch.cuda.get_device_name(device)
    return dict(
        device=name,
        threads=torch.get_num_threads(),
        python=platform.python_version(),
        torch=torch.__version__,
        gap_mmaction=__version__,
        system=platform.platform(),
    )


def tell_environment(device: torch.device, out: Path | None, **figures: Any) -> None:
    """Prints what was measured on; writes it and the figures to a JSON file, if any."""
    machine = environment(device)
    print("\n" + ", ".join(f"{key} {value}" for key, value in machine.items()))
    if out is not None:
        content = dict(figures, environment=machine)
        write_file(out, json.dumps(content, indent=2) + "\n")
