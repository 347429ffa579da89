"""Fuzzes the readers of files: ``python -m tests.fuzz.run TARGET --seconds 60``.

An input that is a finding is kept in ``--findings``.
"""

from __future__ import annotations

import argparse
import hashlib
import random
import resource
import tempfile
import time
import traceback
from pathlib import Path

from tests.fuzz.targets import TARGETS, Finding, damage, quiet

GIBIBYTES = 6  # of address space beyond what torch's libraries take at the start


def fuzz(name: str, args: argparse.Namespace, folder: Path) -> int:
    """Reads damaged files of a kind; returns the number of findings."""
    target, rng = TARGETS[name], random.Random(args.seed)
    found: set[str] = set()
    inputs = accepted = 0
    start = time.monotonic()
    while time.monotonic() - start < args.seconds:
        data = damage(target, rng)
        inputs += 1
        try:
            accepted += target.check(data, folder)
        except (Exception, Finding) as error:
            # Of a finding that was an exception, the place of that one.
            cause = error.__context__ or error
            place = traceback.extract_tb(cause.__traceback__)[-1]
            key = f"{type(error).__name__} {place.filename}:{place.lineno}"
            if key not in found:
                found.add(key)
                args.findings.mkdir(parents=True, exist_ok=True)
                digest = hashlib.sha256(data).hexdigest()[:12]
                (args.findings / f"{name}-{digest}").write_bytes(data)
                print(f"FINDING {digest}: {key}\n  {str(error)[:300]}", flush=True)
    print(f"{name}: {inputs:,} inputs, {accepted:,} accepted, {len(found)} findings")
    return len(found)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("target", choices=[*TARGETS, "all"])
    parser.add_argument("--seconds", type=float, default=60, help="for each target")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--findings", type=Path, default=Path("fuzz_findings"))
    args = parser.parse_args()
    quiet()
    # Makes an allocation without bounds fail, and not the machine.
    taken = int(Path("/proc/self/statm").read_text().split()[0])
    limit = taken * resource.getpagesize() + GIBIBYTES * 2**30
    resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
    names = list(TARGETS) if args.target == "all" else [args.target]
    with tempfile.TemporaryDirectory() as folder:
        return int(sum(fuzz(name, args, Path(folder)) for name in names) > 0)


if __name__ == "__main__":
    raise SystemExit(main())
