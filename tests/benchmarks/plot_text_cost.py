"""Draw how the cost of a tuned text encoder grows with classes, parts and synonyms."""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Sequence
from pathlib import Path

import torch
from matplotlib.figure import Figure
from torch.utils.benchmark import Timer

from gap_mmaction.models import OpenCLIPTextEncoder, PromptBank
from gap_mmaction.models.text.descriptions import load_descriptions, write_descriptions

SOURCE = Path(__file__).parents[2] / "data" / "descriptions" / "ntu120.yaml"
# Presets, and synonyms of each class.
PRESETS = ("synonym", *(f"synonym+parts{i}" for i in (2, 4, 4, 6)))
SETTINGS = list(zip(PRESETS, (10, 10, 1, 10, 10)))


def make_bank(preset: str, synonyms: int, classes: int) -> PromptBank:
    """Describes any number of classes, by combining those that ship."""
    actions, made = load_descriptions(SOURCE, include=False), []
    for i in range(classes):
        first, again = actions[i % len(actions)], i // len(actions)
        then = f" and {actions[(i + 7 * again) % len(actions)].label}" if again else ""
        words = [text + then for text in first.fields["synonyms"][:synonyms]]
        made.append({**first.fields, "label": first.label + then, "synonyms": words})
    with tempfile.TemporaryDirectory() as folder:
        write_descriptions(f"{folder}/made.yaml", "made", made)
        return PromptBank(f"{folder}/made.yaml", preset=preset, seed=0)


def main(argv: Sequence[str] | None = None) -> None:
    """Prints a table and draws it; dashed is every text at full length."""
    parser = argparse.ArgumentParser(description=__doc__)
    add = parser.add_argument
    add("--out", required=True, metavar="PNG")
    add("--model", default="ViT-B-32", help="a model of open_clip")
    add("--classes", type=int, nargs="+", default=[10, 30, 100, 300, 1000])
    add("--samples", type=int, default=16, help="batch size")
    add("--repeats", type=int, default=3, help="batches of each kind")
    add("--threads", type=int, default=1)
    add("--device", default="cpu")
    args = parser.parse_args(argv)
    torch.manual_seed(0)
    encoder = OpenCLIPTextEncoder(args.model, pretrained=None).to(args.device)

    def seconds(code: str, **names: object) -> float:
        names |= {"encoder": encoder, "device": args.device}
        step = f"{code}.square().sum().backward()"
        timer = Timer(step, globals=names, num_threads=args.threads)
        return timer.timeit(1).median

    figure = Figure(figsize=(7, 4.5), layout="constrained")
    axes = figure.subplots()
    print("| texts | K | classes | ms | every text ms |\n|---|---:|---:|---:|---:|")
    for i, (preset, synonyms) in enumerate(SETTINGS):
        line = []
        for classes in sorted(args.classes):
            bank = make_bank(preset, synonyms, classes)
            tokens, times = encoder.tokenize(bank.texts), []
            for _ in range(args.repeats + 1):  # the first one warms up
                ids = bank.sample(torch.randint(classes, (args.samples,)))
                code = "encoder.encode_tokens(tokens, rows)"
                times.append(seconds(code, tokens=tokens, rows=ids.unique()))
            line.append(torch.tensor(times[1:]).median().item())
            every, name = None, f"{preset}, {synonyms} synonyms"
            if classes == max(args.classes):
                rows = {k: v[ids.flatten()].to(args.device) for k, v in tokens.items()}
                every = seconds("encoder(rows)", rows=rows)
                axes.axhline(every, color=f"C{i}", linestyle="--", linewidth=0.9)
            whole = "" if every is None else f"{1e3 * every:.0f}"
            cells = (name, ids.shape[1], classes, f"{1e3 * line[-1]:.0f}", whole)
            print(f"| {' | '.join(map(str, cells))} |", flush=True)
        axes.loglog(sorted(args.classes), line, "o-", color=f"C{i}", label=name)
    axes.set(xlabel="classes", ylabel="seconds, forward and backward")
    figure.legend(fontsize=8, frameon=False, loc="outside lower center", ncols=2)
    figure.savefig(args.out, dpi=150)


if __name__ == "__main__":
    main()
