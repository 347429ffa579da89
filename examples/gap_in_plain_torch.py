#!/usr/bin/env python
"""GAP in a loop of plain torch: a small GCN on the embedded data, with and without.

python examples/gap_in_plain_torch.py [--epochs 15] [--seeds 2]
"""

from __future__ import annotations

import argparse
import statistics

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from gap_mmaction import GAPLoss
from gap_mmaction.datasets.synthetic import make_synthetic
from gap_mmaction.skeletons import get_skeleton

FRAMES, CLASSES, WIDTH = 32, 10, 48


class SmallGCN(nn.Module):
    """Three blocks of a graph convolution and one over time, and a classifier."""

    def __init__(self) -> None:
        super().__init__()
        adjacency = get_skeleton("nturgb+d").adjacency().sum(0)
        self.graph = nn.Parameter(torch.from_numpy(adjacency / adjacency.sum(0)))
        widths = (3, WIDTH, WIDTH, WIDTH)
        self.blocks = nn.ModuleList(
            nn.Sequential(
                nn.Conv2d(before, after, (9, 1), (1 + (before > 3), 1), (4, 0)),
                nn.BatchNorm2d(after),
                nn.ReLU(),
            )
            for before, after in zip(widths, widths[1:])
        )
        self.classifier = nn.Linear(WIDTH, CLASSES)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Returns logits, and the feature map ``[N, C, T, V]`` of ``[N, 3, T, V]``."""
        for block in self.blocks:
            x = block(x @ self.graph)
        return self.classifier(x.mean(dim=(2, 3))), x


def load(seed: int, clips: int) -> tuple[tuple[Tensor, Tensor], tuple[Tensor, Tensor]]:
    """Makes the embedded set; returns a few clips of each class, and those to test."""
    content = make_synthetic()
    names = {split: set(of) for split, of in content["split"].items()}
    train, test = names
    rng, parts = np.random.default_rng(seed), []
    for split in (train, test):
        chosen = [a for a in content["annotations"] if a["frame_dir"] in names[split]]
        if split == train:
            by_class = [[a for a in chosen if a["label"] == c] for c in range(CLASSES)]
            chosen = [a for of in by_class for a in rng.permutation(of)[:clips]]
        motions = []
        for one in chosen:
            joints = one["keypoint"][0]
            frames = np.linspace(0, len(joints) - 1, FRAMES).round().astype(int)
            motions.append(joints[frames] - joints[:1, 1:2])
        x = torch.from_numpy(np.stack(motions)).float().permute(0, 3, 1, 2)
        parts.append((x, torch.tensor([one["label"] for one in chosen])))
    return parts[0], parts[1]


def train(seed: int, epochs: int, clips: int, with_gap: bool) -> float:
    """Trains and tests; returns top-1 in percent."""
    (x, y), (x_test, y_test) = load(seed, clips)
    torch.manual_seed(seed)
    model, gap = SmallGCN(), None
    parameters = list(model.parameters())
    if with_gap:
        gap = GAPLoss(
            "synthetic",
            WIDTH,
            layout="nturgb+d",
            features="synthetic_minilm",
            seed=seed,
        )
        parameters += gap.parameters()
    optimizer = torch.optim.SGD(parameters, 0.1, momentum=0.9, weight_decay=5e-4)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, epochs)
    order = torch.Generator().manual_seed(seed)
    for _ in range(epochs):
        for batch in torch.randperm(len(x), generator=order).split(32):
            logits, feature_map = model(x[batch])
            loss = F.cross_entropy(logits, y[batch])
            if gap is not None:
                loss = loss + gap(feature_map, y[batch], axes="n c t v")
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        schedule.step()
    model.eval()
    with torch.no_grad():
        right = model(x_test)[0].argmax(1) == y_test
    return 100 * float(right.float().mean())


def main(argv: list[str] | None = None) -> None:
    """Trains both and prints a table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--epochs", type=int, default=15)
    parser.add_argument("--seeds", type=int, default=2)
    parser.add_argument("--clips", type=int, default=10, help="of each class")
    args = parser.parse_args(argv)
    print(f"{'':14}{'top-1 % by seed':>20}{'mean':>8}")
    for name, with_gap in (("without GAP", False), ("with GAP", True)):
        found = [
            train(seed, args.epochs, args.clips, with_gap) for seed in range(args.seeds)
        ]
        each = " ".join(f"{value:.1f}" for value in found)
        print(f"{name:14}{each:>20}{statistics.mean(found):8.1f}")


if __name__ == "__main__":
    main()
