#!/usr/bin/env python
"""Show whether the similarity of a part to its text is a reason for a decision.

The joints of one part of each test clip are frozen (they keep their first frame) or
swapped with those of a clip of another class. How far does the score of the decided
class fall, beside a random set of as many joints and beside the joints of the largest
input gradient? Does it fall more, the nearer the part is to its text? Deletion curves
freeze one part after the other; counterfactual texts exchange the sentence of one part
between the decided class and the next one.

Example:
    python tools/analysis/explain.py configs/gap/ctrgcn_utd_mhad_cpu.py CHECKPOINT \
        --out work_dirs/explain
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import matplotlib.pyplot as plt
import numpy as np
import torch
from mmengine.registry import init_default_scope
from mmengine.runner import Runner
from scipy import stats
from torch import Tensor

from gap_mmaction.apis import load_model
from gap_mmaction.apis.part_similarity import PartSimilarity
from gap_mmaction.skeletons import GLOBAL_PART
from gap_mmaction.utils.command_line import add_cfg_options, read_config, tells_errors
from gap_mmaction.utils.files import save_png, write_file

ORDERS = ("by similarity", "by gradient", "at random")


class Falls(NamedTuple):
    """What was measured of each clip; parts P are those of some joints, not of all."""

    score: np.ndarray  # [N] of the decided class
    similarity: np.ndarray  # [N, P] to the decided class's texts
    part: np.ndarray  # [N, P] fall of the score, one part changed
    as_many: np.ndarray  # [N, P] the same of as many random joints
    steepest: np.ndarray  # [N, P] the same of as many joints of the largest gradient
    curves: np.ndarray  # [orders, N, P + 1] scores, one part after the other
    exchanged: np.ndarray  # [N, P] whether the texts' decision goes over to the next


class Explainer:
    """Changes joints of clips, and asks a model with its text branch what follows."""

    def __init__(self, model: Any, how: str, seed: int) -> None:
        self.model, self.how = model.eval(), how
        self.similarity = PartSimilarity(model)
        self.texts = self.similarity.class_features()  # [classes, K, D]
        slots, stream = model.text_branch.prompts.slots, model.data_preprocessor.stream
        self.kept = [k for k, slot in enumerate(slots) if slot.joints != GLOBAL_PART]
        self.names = [slots[k].name for k in self.kept]
        skeleton = model.data_preprocessor.skeleton
        self.joints = [list(skeleton.part(slots[k].joints, stream)) for k in self.kept]
        self.num_joints = skeleton.num_joints
        self.rng = np.random.default_rng(seed)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Returns scores ``[N, classes]`` and features ``[N, K, D]`` of joints."""
        clips = x.shape[1]
        stream = self.model.data_preprocessor.to_stream(x)
        features, _ = self.model.extract_feat(stream)
        scores = self.model.cls_head(features).softmax(-1)
        parts = self.similarity.project(features, clips)
        return scores.unflatten(0, (-1, clips)).mean(1), parts

    def change(
        self, x: Tensor, other: Tensor, joints: Sequence[Sequence[int]]
    ) -> Tensor:
        """Freezes, or swaps, some joints of each clip ``[N, clips, M, T, V, C]``."""
        mask = torch.zeros(len(x), self.num_joints, dtype=torch.bool)
        for row, of_clip in zip(mask, joints):
            row[list(of_clip)] = True
        new = x[:, :, :, :1].expand_as(x) if self.how == "freeze" else other
        return torch.where(mask.to(x.device)[:, None, None, None, :, None], new, x)

    @torch.no_grad()
    def explain(self, x: Tensor, other: Tensor) -> Falls:
        """Measures a batch ``[N, clips, M, T, V, C]`` of joints."""
        scores, features = self.forward(x)
        decided, rows = scores.argmax(1), torch.arange(len(x))
        score = scores[rows, decided]
        cosines = self.similarity.compare(features, self.texts)[:, self.kept]
        near = cosines[rows, :, decided]  # [N, P]
        gradient = self._gradient(x, decided)  # [N, V]
        steep = gradient.argsort(1, descending=True).tolist()

        def score_of(joints: Sequence[Sequence[int]]) -> Tensor:
            return self.forward(self.change(x, other, joints))[0][rows, decided]

        falls: dict[str, list[Tensor]] = {"part": [], "as_many": [], "steepest": []}
        for joints in self.joints:
            size = len(joints)
            drawn = [self.rng.permutation(self.num_joints)[:size] for _ in x]
            falls["part"].append(score - score_of([joints] * len(x)))
            falls["as_many"].append(score - score_of([d.tolist() for d in drawn]))
            falls["steepest"].append(score - score_of([row[:size] for row in steep]))
        of_parts = torch.stack([gradient[:, j].mean(1) for j in self.joints], 1)
        orders = [
            near.argsort(1, descending=True),
            of_parts.argsort(1, descending=True),
        ]
        shuffled = [self.rng.permutation(len(self.joints)) for _ in x]
        orders.append(torch.from_numpy(np.stack(shuffled)))
        curves = []
        for order in orders:
            curve = [score]
            gone: list[list[int]] = [[] for _ in x]
            for step in order.T.tolist():
                gone = [before + self.joints[k] for before, k in zip(gone, step)]
                curve.append(score_of(gone))
            curves.append(torch.stack(curve, 1))
        measured = [torch.stack(of, 1) for of in falls.values()]
        parts = (score, near, *measured, torch.stack(curves), self._exchange(features))
        return Falls(*(value.cpu().numpy() for value in parts))

    def _gradient(self, x: Tensor, decided: Tensor) -> Tensor:
        """Returns the gradient's norm of each joint."""
        with torch.enable_grad():
            x = x.clone().requires_grad_()
            score = self.forward(x)[0].gather(1, decided[:, None]).sum()
            (gradient,) = torch.autograd.grad(score, x)
        return gradient.square().sum(dim=(1, 2, 3, 5)).sqrt()

    def _exchange(self, features: Tensor) -> Tensor:
        """Exchanges a part's text between the texts' first and second class."""
        cosines = self.similarity.compare(features, self.texts)  # [N, K, classes]
        (first, second) = cosines.mean(1).topk(2).indices.T
        rows = torch.arange(len(features))
        difference = cosines[rows, :, first] - cosines[rows, :, second]  # [N, K]
        # Exchanged, one part's difference counts the other way.
        left = difference.sum(1, keepdim=True) - 2 * difference[:, self.kept]
        return left < 0


def summarize(names: Sequence[str], falls: Falls) -> str:
    """Returns tables of what was measured."""
    text = f"""{len(falls.score)} clips, mean score {falls.score.mean():.3f}. \
Falls of the score, and 95 % intervals over clips.

| part | similarity | part | as many at random | of the largest gradient \
| texts exchanged, decision goes over % |
|---|---:|---:|---:|---:|---:|
"""
    for k, name in enumerate(names):
        cells = [falls.part, falls.as_many, falls.steepest]
        each = " | ".join(_interval(values[:, k]) for values in cells)
        over = 100 * falls.exchanged[:, k].mean()
        text += (
            f"| {name} | {falls.similarity[:, k].mean():.2f} | {each} | {over:.1f} |\n"
        )
    found = [
        stats.spearmanr(near, fall).statistic
        for near, fall in zip(falls.similarity, falls.part - falls.as_many)
        if np.ptp(near) > 0 and np.ptp(fall) > 0
    ]
    text += "\nRank correlation, within a clip, of a part's similarity and its fall "
    text += f"beyond that of as many random joints: {_interval(np.array(found))}.\n"
    areas = falls.curves.mean(2)
    for order, area in zip(ORDERS[:2], areas):
        gap = _interval(areas[2] - area)
        text += f"Area over the deletion curve {order}, less at random: {gap}.\n"
    return text


def _interval(values: np.ndarray) -> str:
    if len(values) < 2:
        return "-"
    half = 1.96 * values.std(ddof=1) / np.sqrt(len(values))
    return f"{values.mean():+.3f} ± {half:.3f}"


def draw(falls: Falls) -> Any:
    """Draws the deletion curves, with bands of 95 % over clips."""
    figure, axes = plt.subplots(figsize=(5, 3.5), layout="constrained")
    steps = np.arange(falls.curves.shape[2])
    for name, curve in zip(ORDERS, falls.curves):
        mean = curve.mean(0)
        half = 1.96 * curve.std(0, ddof=1) / np.sqrt(len(curve))
        axes.plot(steps, mean, marker="o", label=name)
        axes.fill_between(steps, mean - half, mean + half, alpha=0.2)
    axes.set(xlabel="parts changed", ylabel="score of the decided class", ylim=(0, 1))
    axes.set_xticks(steps)
    axes.legend(frameon=False)
    return figure


def parse_args(argv: Sequence[str] | None = None) -> argparse.Namespace:
    """Reads the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add = parser.add_argument
    add("config")
    add("checkpoint", help="of a model trained with GAP, its text branch kept")
    add("--how", choices=["freeze", "swap"], default="freeze", help="(%(default)s)")
    add("--seed", type=int, default=0, help="of random joints (%(default)s)")
    add("--device", default="cpu")
    add("--out", type=Path, default=Path("work_dirs/explain"), metavar="DIR")
    add_cfg_options(parser)
    return parser.parse_args(argv)


@tells_errors
def main(argv: Sequence[str] | None = None) -> int:
    """Measures the clips of the test data and writes tables and a figure."""
    args = parse_args(argv)
    config = read_config(args.config, args.cfg_options)
    init_default_scope("mmaction")
    model = load_model(config, args.checkpoint, device=args.device, text_branch=True)
    explainer = Explainer(model, args.how, args.seed)
    batches = list(Runner.build_dataloader(config.test_dataloader))
    clips = torch.cat([torch.stack(batch["inputs"]).float() for batch in batches])
    labels = [int(one.gt_label) for batch in batches for one in batch["data_samples"]]
    others = clips[_of_other_classes(np.array(labels), explainer.rng)]
    size, found = len(batches[0]["inputs"]), []
    for x, other in zip(clips.split(size), others.split(size)):
        found.append(explainer.explain(x.to(args.device), other.to(args.device)))
        print(f"{sum(len(of.score) for of in found)} of {len(clips)} clips", flush=True)
    joined = [np.concatenate(of, axis=int(i == 5)) for i, of in enumerate(zip(*found))]
    text = summarize(explainer.names, falls := Falls(*joined))
    write_file(args.out / "explain.md", text)
    save_png(draw(falls), args.out / "deletion.png")
    print(f"\n{text}\nwritten: {args.out}/explain.md, deletion.png")
    return 0


def _of_other_classes(labels: np.ndarray, rng: np.random.Generator) -> list[int]:
    """Draws for each clip one of another class."""
    if len(np.unique(labels)) == 1:
        raise ValueError("the test clips are all of one class: nothing to swap with")
    return [int(rng.choice(np.flatnonzero(labels != label))) for label in labels]


if __name__ == "__main__":
    sys.exit(main())
