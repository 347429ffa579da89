#!/usr/bin/env bash
# Tests as a Slurm job, see slurm_run.sh for its resources.
set -eu
if [ $# -lt 4 ]; then
    echo "usage: $0 PARTITION JOB_NAME CONFIG CHECKPOINT [options of tools/test.py]" >&2
    exit 2
fi
exec "$(dirname "$0")/slurm_run.sh" test.py "$@"
