#!/usr/bin/env bash
# Trains in several processes, see dist_run.sh for more than one node.
set -eu
if [ $# -lt 2 ]; then
    echo "usage: $0 CONFIG PROCESSES [options of tools/train.py]" >&2
    exit 2
fi
config=$1
processes=$2
shift 2
exec "$(dirname "$0")/dist_run.sh" train.py "$processes" "$config" "$@"
