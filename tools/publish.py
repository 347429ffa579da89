"""Strip a checkpoint of what testing does not need: text branch, optimizer, history."""

from __future__ import annotations

import argparse
from collections import OrderedDict
from pathlib import Path

import torch
from mmengine.runner import CheckpointLoader

import gap_mmaction  # noqa: F401  # allows the types in MMEngine's checkpoints
from gap_mmaction.models.recognizers.recognizer_gap import TEXT_PREFIX


def strip_checkpoint(source: str, target: Path) -> tuple[int, int]:
    """Write the part of a checkpoint that stock mmaction2 models load strictly.

    Args:
        source: The checkpoint of a training run.
        target: The file to write.

    Returns:
        How many tensors were kept, and how many left out.

    Raises:
        FileNotFoundError: If the checkpoint is not there.
        ValueError: If it holds no state dict.
    """
    checkpoint = CheckpointLoader.load_checkpoint(source, map_location="cpu")
    if "state_dict" not in checkpoint:
        raise ValueError(
            f"{source} has no `state_dict`, its keys are {sorted(checkpoint)}: give a "
            "checkpoint that MMEngine's Runner has written"
        )
    state = checkpoint["state_dict"]
    kept = OrderedDict(
        (key, value) for key, value in state.items() if not key.startswith(TEXT_PREFIX)
    )
    torch.save({"meta": checkpoint.get("meta", {}), "state_dict": kept}, target)
    return len(kept), len(state) - len(kept)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("checkpoint", help="checkpoint of a training run")
    parser.add_argument("out", type=Path, help="file to write")
    args = parser.parse_args()
    kept, dropped = strip_checkpoint(args.checkpoint, args.out)
    size = args.out.stat().st_size / 2**20
    print(f"{args.out}: {kept} tensors kept, {dropped} left out, {size:.1f} MiB")


if __name__ == "__main__":
    main()
