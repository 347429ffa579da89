#!/usr/bin/env bash
# Runs a tool in several processes; dist_train.sh and dist_test.sh call it:
#   tools/dist_run.sh SCRIPT PROCESSES [arguments of the script]
# One process a GPU, or any number on a machine without one.
# On several nodes, run it on each of them with NNODES, NODE_RANK (0 is the first),
# MASTER_ADDR (address of the first) and PORT set. PYTHON names the interpreter.
set -eu
tools=$(cd "$(dirname "$0")" && pwd)
script=$1
processes=$2
shift 2

export PYTHONPATH="$(dirname "$tools")${PYTHONPATH:+:$PYTHONPATH}"
exec "${PYTHON:-python}" -m torch.distributed.run \
    --nnodes "${NNODES:-1}" \
    --node-rank "${NODE_RANK:-0}" \
    --master-addr "${MASTER_ADDR:-127.0.0.1}" \
    --master-port "${PORT:-29500}" \
    --nproc-per-node "$processes" \
    "$tools/$script" "$@" --launcher pytorch
