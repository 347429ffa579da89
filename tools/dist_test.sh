#!/usr/bin/env bash
# Tests in several processes, see dist_run.sh for more than one node.
set -eu
if [ $# -lt 3 ]; then
    echo "usage: $0 CONFIG CHECKPOINT PROCESSES [options of tools/test.py]" >&2
    exit 2
fi
config=$1
checkpoint=$2
processes=$3
shift 3
exec "$(dirname "$0")/dist_run.sh" test.py "$processes" "$config" "$checkpoint" "$@"
