#!/usr/bin/env python
"""GAP on a model of your own, by a config: its class stays as it is.

    python examples/gap_on_your_model.py [--epochs 20]

The config inherits the embedded one and puts the model in place of its backbone.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import torch
from mmaction.registry import MODELS
from mmengine.config import Config
from torch import Tensor, nn

from gap_mmaction.datasets.synthetic import write_synthetic
from gap_mmaction.engine import launch

ROOT = Path(__file__).resolve().parents[1]


@MODELS.register_module()
class YourModel(nn.Module):
    """Stands in for yours: ``[N, C, T, V, M]`` to logits and more, as CTR-GCN's kin."""

    def __init__(self, num_class: int, num_point: int, width: int = 32) -> None:
        super().__init__()
        self.graph = nn.Parameter(torch.eye(num_point) + 0.1 / num_point)
        self.input = nn.BatchNorm2d(3)
        layers = []
        for before, stride in ((3, 2), (width, 1), (width, 1)):
            layers += [
                nn.Conv2d(before, width, (9, 1), (stride, 1), (4, 0)),
                nn.BatchNorm2d(width),
                nn.ReLU(),
            ]
        self.layers = nn.Sequential(*layers)
        self.fc = nn.Linear(width, num_class)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Returns logits, and the graph for a loss of its own."""
        n, c, t, v, m = x.shape
        x = x.permute(0, 4, 1, 2, 3).reshape(n * m, c, t, v)
        x = self.layers(self.input(x) @ self.graph)
        return self.fc(x.mean(dim=(2, 3)).view(n, m, -1).mean(1)), self.graph


MODEL = dict(
    backbone=dict(
        _delete_=True,
        type="FeatureHook",
        model=dict(type="YourModel", num_class=10, num_point=25),
        layer="layers.8",  # the last one before the joints are averaged
        axes="(n m) c t v",
        input_axes="n c t v m",
        logits=True,
    ),
    cls_head=dict(_delete_=True, type="ForeignHead", num_classes=10, in_channels=32),
)


def main(argv: list[str] | None = None) -> float:
    """Trains; returns top-1 on the validation clips."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--epochs", type=int, default=20)
    parser.add_argument("--work-dir", default="work_dirs/gap_on_your_model")
    args = parser.parse_args(argv)
    config = Config.fromfile(ROOT / "configs" / "gap" / "ctrgcn_synthetic.py")
    config.merge_from_dict(dict(model=MODEL))
    data = Path(args.work_dir, "synthetic.pkl")
    write_synthetic(data)
    for loader in ("train", "val", "test"):
        config[f"{loader}_dataloader"].dataset.ann_file = str(data)
    config.train_cfg.update(max_epochs=args.epochs, val_interval=args.epochs + 1)
    config.param_scheduler[0].end = args.epochs
    config.work_dir = args.work_dir
    runner = launch.build_runner(config)
    runner.train()
    metrics: dict[str, float] = runner.val_loop.run()
    print(f"top-1 {100 * metrics['acc/top1']:.1f} % with GAP on YourModel")
    return metrics["acc/top1"]


if __name__ == "__main__":
    main()
