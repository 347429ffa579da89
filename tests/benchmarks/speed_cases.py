"""What tools/benchmark.py times: CTR-GCN, skeleton pipeline and text tower.

Each case is its name, our function, the other one, and a function that tells more.
"""

from __future__ import annotations

import functools
import importlib
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch
from mmaction.registry import MODELS
from mmengine.dataset import Compose
from mmengine.registry import init_default_scope
from torch import Tensor, nn
from torch.optim.swa_utils import update_bn

from gap_mmaction.datasets.transforms import FastPreNormalize3D
from gap_mmaction.models import CTRGCN, OpenCLIPTextEncoder, PromptBank
from tests.models.plain_gcn import perturb

Case = tuple[str, Callable[[], Any], Callable[[], Any], Callable[[], dict[str, Any]]]

# Clips, persons, frames, and the layout of the joints.
SHAPES = {"ntu": (8, 2, 64, "nturgb+d"), "nwucla": (16, 1, 52, "nw-ucla")}


def backbone_cases(args: Any, device: torch.device) -> Iterator[Case]:
    """Yields forward passes without gradients, and training steps."""
    other = load_class(args.against)
    for key in args.shapes:
        clips, persons, frames, layout = SHAPES[key]
        if args.small:
            clips, frames = 1, 8
        torch.manual_seed(0)
        graph = dict(layout=layout, mode="spatial")
        ours, theirs = (
            network(graph_cfg=graph, num_person=persons) for network in (CTRGCN, other)
        )
        x = torch.randn(clips, persons, frames, ours.skeleton.num_joints, 3)
        perturb(ours)
        # Statistics of other data, or activations would grow from block to block.
        update_bn([x[:4]], ours)
        theirs.load_state_dict(ours.state_dict(), strict=True)
        x, runs = x.to(device), []
        for network in (ours.to(device), theirs.to(device)):
            if args.channels_last:
                network.to(memory_format=torch.channels_last)
            runs.append(Run(network, functools.partial(network, x), args.amp))
        for work in args.works:
            for run in runs:
                run.module.train(work == "step")
            yield pair(f"{key} {work}", runs[0], runs[1])


class Run:
    """A forward pass and, in training, a backward pass through a module."""

    def __init__(
        self, module: nn.Module, forward: Callable[[], Tensor], amp: bool
    ) -> None:
        self.module, self.forward, self.amp = module, forward, amp
        self.device = next(module.parameters()).device.type

    def __call__(self) -> Tensor:
        with torch.set_grad_enabled(self.module.training):
            with torch.autocast(self.device, torch.bfloat16, enabled=self.amp):
                out = self.forward()
            if self.module.training:
                out.float().square().sum().backward()
        self.module.zero_grad(set_to_none=True)
        return out.detach()


def load_class(against: str) -> Any:
    """Imports ``PATH_OR_MODULE[:CLASS]``, a backbone that has our state dict."""
    source, colon, name = against.rpartition(":")
    if not colon:
        source, name = against, "CTRGCN"
    module_name, path = source, Path(source).resolve()
    if path.exists():
        sys.path.insert(0, str(path.parent))
        module_name = path.stem
    # Another CTRGCN registers itself under the same name.
    ours = MODELS.module_dict.pop("CTRGCN")
    try:
        module = importlib.import_module(module_name)
    finally:
        MODELS.module_dict["CTRGCN"] = ours
    if not hasattr(module, name):
        raise KeyError(f"--against {against}: {source} has no class {name!r}")
    return getattr(module, name)


def pipeline_cases(args: Any, device: torch.device) -> Iterator[Case]:
    """Yields mmaction2's six skeleton transforms, and those after a first one."""
    init_default_scope("mmaction")
    rng, shape = np.random.default_rng(0), (2, 100, 25, 3)
    samples: list[dict[str, Any]] = [
        dict(keypoint=rng.normal(size=shape).astype("f"), total_frames=100, label=0)
        for _ in range(1 if args.small else 20)
    ]
    first = FastPreNormalize3D()
    done = dict(pre_normalized=first.settings())
    normalized = [first.transform(dict(sample)) | done for sample in samples]

    def transforms(prefix: str, samples: list[dict[str, Any]]) -> Callable[[], Tensor]:
        steps: list[dict[str, Any]] = [
            dict(type=f"{prefix}PreNormalize3D"),
            dict(type="GenSkeFeat", dataset="nturgb+d", feats=["j"]),
            dict(type=f"{prefix}UniformSampleFrames", clip_len=100),
            *(dict(type="PoseDecode"), dict(type="FormatGCNInput", num_person=2)),
        ]
        pipeline = Compose([*steps, dict(type="PackActionInputs")])

        def run() -> Tensor:
            np.random.seed(0)
            return torch.stack([pipeline(dict(x))["inputs"] for x in samples])

        return run

    stock = transforms("", samples)
    for what, source in (("", samples), (", normalized before", normalized)):
        name = f"clip of 2 x 100 frames{what}"
        yield pair(name, transforms("Fast", source), stock, count=len(samples))


def text_cases(args: Any, device: torch.device) -> Iterator[Case]:
    """Yields a batch's distinct texts, against every sample's at full length."""
    torch.manual_seed(0)
    encoder = OpenCLIPTextEncoder(args.model, pretrained=None).to(device)
    for dataset in args.datasets:
        bank = PromptBank(f"data/descriptions/{dataset}.yaml", seed=0)
        ids = bank.sample(torch.randint(len(bank.labels), (16,)))
        tokens = encoder.tokenize(bank.texts)
        every = encoder.tokenize([bank.texts[i] for i in ids.flatten().tolist()])
        every = {name: part.to(device) for name, part in every.items()}

        def distinct(tokens: Any = tokens, ids: Tensor = ids) -> Tensor:
            rows, inverse = torch.unique(ids, return_inverse=True)
            features = encoder.encode_tokens(tokens, rows)
            return features[inverse.flatten().to(device)]

        full = functools.partial(encoder, every)
        ours, other = (Run(encoder, f, args.amp) for f in (distinct, full))
        yield pair(f"{args.model}, 16 samples, {len(bank.labels)} classes", ours, other)


def pair(
    name: str, ours: Callable[[], Tensor], other: Callable[[], Tensor], count: int = 1
) -> Case:
    """Makes a case of two functions that should give the same, for ``count`` things."""

    def more() -> dict[str, Any]:
        mine, theirs = ours(), other()
        difference = (mine - theirs).abs().max() / theirs.abs().max()
        return dict(difference=float(difference), count=count)

    return name, ours, other, more
