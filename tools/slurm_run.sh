#!/usr/bin/env bash
# Runs a tool as a Slurm job; slurm_train.sh and slurm_test.sh call it:
#   tools/slurm_run.sh SCRIPT PARTITION JOB_NAME [arguments of the script]
# GPUS is the number of processes (8), GPUS_PER_NODE how many of them run on a node
# (8), CPUS_PER_TASK the cores of each (5), SRUN_ARGS further options of srun.
# GRES= (empty) asks for no GPU. PYTHON names the interpreter.
set -eu
tools=$(cd "$(dirname "$0")" && pwd)
script=$1
partition=$2
job_name=$3
shift 3

gpus=${GPUS:-8}
per_node=${GPUS_PER_NODE:-8}
if [ "$per_node" -gt "$gpus" ]; then per_node=$gpus; fi
gres=${GRES-"--gres=gpu:$per_node"}

export PYTHONPATH="$(dirname "$tools")${PYTHONPATH:+:$PYTHONPATH}"
# gres and SRUN_ARGS are lists of words, and may be empty.
# shellcheck disable=SC2086
exec srun --partition="$partition" --job-name="$job_name" $gres \
    --ntasks="$gpus" --ntasks-per-node="$per_node" \
    --cpus-per-task="${CPUS_PER_TASK:-5}" --kill-on-bad-exit=1 ${SRUN_ARGS:-} \
    "${PYTHON:-python}" -u "$tools/$script" "$@" --launcher slurm
