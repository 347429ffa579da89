"""Fuzz the readers of files: ``python -m tests.fuzz.run TARGET --seconds 60``.

With atheris (``pip install atheris``; it is in no requirements file) inputs are guided
by coverage; without it, or with ``--plain``, valid files are damaged at random, after a
seed. An input that is a finding is kept in ``--findings``, one for each place in the
code; ``--replay FILE`` reads one again.
"""

from __future__ import annotations

import argparse
import contextlib
import hashlib
import importlib.util
import random
import resource
import sys
import tempfile
import time
import traceback
from collections.abc import Sequence
from pathlib import Path

from tests.fuzz import mutations
from tests.fuzz.targets import TARGETS, Target, draw_content, quiet

GIBIBYTES = 6
"""Of address space beyond what is taken at the start, torch's libraries included."""


def parse_args(argv: Sequence[str] | None = None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("target", choices=[*TARGETS, "all"])
    parser.add_argument(
        "--seconds", type=float, default=60, help="for each target (default: 60)"
    )
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument(
        "--corpus",
        type=Path,
        help="folder of inputs that atheris begins with and adds to",
    )
    parser.add_argument(
        "--findings", type=Path, default=Path("fuzz_findings"), metavar="DIR"
    )
    parser.add_argument("--plain", action="store_true", help="without atheris")
    parser.add_argument("--replay", type=Path, metavar="FILE")
    return parser.parse_args(argv)


class Fuzzer:
    """Reads inputs, counts them and keeps the findings.

    Args:
        name: The target.
        findings: The folder for them.
        folder: A folder for files.
    """

    def __init__(self, name: str, findings: Path, folder: Path) -> None:
        self.name = name
        self.target: Target = TARGETS[name]
        self.findings = findings
        self.folder = folder
        self.inputs = self.accepted = 0
        self.found: dict[str, str] = {}

    def try_input(self, data: bytes) -> None:
        """Read one input."""
        self.inputs += 1
        try:
            self.accepted += self.target.check(data, self.folder)
        except KeyboardInterrupt:
            raise
        except BaseException as error:
            self._keep(data, error)

    def _keep(self, data: bytes, error: BaseException) -> None:
        frames = traceback.extract_tb(error.__traceback__)
        place = frames[-1]
        # Of a finding that was an exception, the place of that one.
        cause = error.__cause__
        if cause is not None and cause.__traceback__ is not None:
            place = traceback.extract_tb(cause.__traceback__)[-1]
        kind = f"{type(error).__name__}: {str(error)[:300]}"
        key = f"{type(error).__name__} {place.filename}:{place.lineno}"
        if key in self.found:
            return
        self.found[key] = kind
        self.findings.mkdir(parents=True, exist_ok=True)
        digest = hashlib.sha256(data).hexdigest()[:12]
        (self.findings / f"{self.name}-{digest}").write_bytes(data)
        text = "".join(traceback.format_exception(error))
        (self.findings / f"{self.name}-{digest}.txt").write_text(
            text[-20_000:], encoding="utf-8", errors="backslashreplace"
        )
        print(f"FINDING {self.name}-{digest}: {key}\n  {kind}", flush=True)

    def report(self, seconds: float) -> None:
        """Print what was done."""
        print(
            f"{self.name}: {self.inputs:,} inputs in {seconds:.0f} s, "
            f"{self.accepted:,} accepted, {len(self.found)} findings",
            flush=True,
        )


def fuzz_plainly(fuzzer: Fuzzer, seconds: float, seed: int) -> None:
    """Damage valid files, bytes and values in turn."""
    rng = random.Random(seed)
    seeds = fuzzer.target.seeds()
    start = time.monotonic()
    while time.monotonic() - start < seconds:
        if rng.random() < 0.4:
            data = draw_content(fuzzer.target, rng)
            if rng.random() < 0.2:
                data = mutations.apply(data, mutations.draw(rng), rng.choice(seeds))
        else:
            changes = mutations.draw(rng)
            data = mutations.apply(rng.choice(seeds), changes, rng.choice(seeds))
        fuzzer.try_input(data)
    fuzzer.report(time.monotonic() - start)


def fuzz_guided(fuzzer: Fuzzer, seconds: float, seed: int, corpus: Path) -> None:
    """Let atheris find inputs; it ends the process."""
    import atheris

    corpus.mkdir(parents=True, exist_ok=True)
    for number, data in enumerate(fuzzer.target.seeds()):
        (corpus / f"seed{number}").write_bytes(data)
    for name, module in list(sys.modules.items()):
        if name.startswith("gap_mmaction.") and module is not None:
            instrument(atheris, module)
    start = time.monotonic()
    state = {"told": start}

    def try_input(data: bytes) -> None:
        fuzzer.try_input(data)
        # The process ends within libFuzzer: the last line is the report.
        if time.monotonic() - state["told"] > min(10, seconds / 4):
            state["told"] = time.monotonic()
            fuzzer.report(time.monotonic() - start)

    options = [f"-max_total_time={int(seconds)}", f"-seed={seed + 1}", "-verbosity=0"]
    options += [
        "-max_len=65536",
        "-timeout=60",
        "-rss_limit_mb=0",
        "-print_final_stats=1",
    ]
    atheris.Setup([sys.argv[0], *options, str(corpus)], try_input)
    atheris.Fuzz()


def instrument(atheris: object, module: object) -> None:
    """Count the branches that a module's functions take."""
    for value in list(vars(module).values()):
        if getattr(value, "__module__", None) != getattr(module, "__name__", ""):
            continue
        functions = vars(value).values() if isinstance(value, type) else [value]
        for function in list(functions):
            if hasattr(function, "__code__"):
                with contextlib.suppress(Exception):  # generated code cannot be
                    atheris.instrument_func(function)  # type: ignore[attr-defined]


def limit_memory() -> None:
    """Make an allocation without bounds fail instead of the machine."""
    taken = (
        int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    )
    limit = taken + GIBIBYTES * 2**30
    resource.setrlimit(resource.RLIMIT_AS, (limit, limit))


def main(argv: Sequence[str] | None = None) -> int:
    """Fuzz.

    Returns:
        1 if there are findings, else 0.
    """
    args = parse_args(argv)
    quiet()
    limit_memory()
    names = list(TARGETS) if args.target == "all" else [args.target]
    count = 0
    with tempfile.TemporaryDirectory() as folder:
        for name in names:
            fuzzer = Fuzzer(name, args.findings, Path(folder))
            if args.replay is not None:
                print(fuzzer.target.check(args.replay.read_bytes(), Path(folder)))
                continue
            guided = importlib.util.find_spec("atheris") is not None and not args.plain
            if guided and len(names) == 1:
                corpus = args.corpus or Path(folder, "corpus")
                fuzz_guided(fuzzer, args.seconds, args.seed, corpus)
            else:
                fuzz_plainly(fuzzer, args.seconds, args.seed)
            count += len(fuzzer.found)
    return int(count > 0)


if __name__ == "__main__":
    sys.exit(main())
