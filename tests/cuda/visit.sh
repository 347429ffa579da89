#!/usr/bin/env bash
# One visit of at most 9 minutes to a machine with a GPU, torch and no network: tests,
# times, kernels, and NW-UCLA by the paper's recipe in the minutes that are left.
#
#     tests/cuda/visit.sh OUT [--wheels FOLDER] [--data nwucla.pkl] [--device cpu]
#
# FOLDER has the wheels of what the machine lacks. With --device cpu everything is tiny,
# to try the script out. The same command goes on with the trainings.
set -u
cd "$(dirname "$0")/../.."
out=$(mkdir -p "$1" && cd "$1" && pwd); shift
wheels="" data="" device=cuda seconds=540
while [ $# -gt 0 ]; do
    case "$1" in
        --wheels) wheels=$(realpath "$2") ;;
        --data) data=$(realpath "$2") ;;
        --device) device=$2 ;;
        --seconds) seconds=$2 ;;
        *) echo "unknown: $1" >&2; exit 2 ;;
    esac
    shift 2
done
end=$(($(date +%s) + seconds))
small=() pairs=() limit=60
[ "$device" = cpu ] && small=(--small) && pairs=(--pairs 2) && limit=300
export PYTHONPATH=$PWD GAP_DEVICE=$device HF_HUB_OFFLINE=1 PYTHONUNBUFFERED=1

step() {  # step NAME SECONDS COMMAND...: never longer than what is left
    local name=$1 limit=$2 left=$((end - $(date +%s))); shift 2
    [ "$left" -lt 10 ] && { echo "$name: no time left"; return; }
    [ "$limit" -gt "$left" ] && limit=$left
    timeout -k 5 "$limit" "$@" > "$out/$name.log" 2>&1
    echo "$name: exit code $?, $((end - $(date +%s))) s left"
    tail -n 3 "$out/$name.log"
}

if [ -n "$wheels" ]; then
    step install 60 python -m pip install --no-index --no-deps "$wheels"/*.whl
fi
step tests 120 python -m pytest -q -p no:cacheprovider -m cuda tests/cuda
step measure 150 python tests/cuda/measure.py --device "$device" --out "$out" "${small[@]}"
for amp in "" --amp; do
    for command in "backbone --shapes ntu" "text --datasets nwucla" "step --config configs/gap/ctrgcn_ntu120.py"; do
        read -ra words <<< "$command"
        step "benchmark_${words[0]}$amp" "$limit" python tools/benchmark.py "${words[@]}" \
            --device "$device" "${small[@]}" "${pairs[@]}" $amp --out "$out/${words[0]}$amp.json"
    done
done

if [ -n "$data" ]; then
    epochs=()
    [ "$device" = cpu ] && epochs=(train_cfg.max_epochs=1 model.backbone.base_channels=8
        model.cls_head.in_channels=32 optim_wrapper.type=OptimWrapper
        train_dataloader.dataset.times=1)
    for stream in "" _bone _joint-motion _bone-motion; do
        step "nwucla$stream" "$seconds" python tools/train.py \
            "configs/gap/ctrgcn_nwucla$stream.py" --seed 0 --resume \
            --work-dir "$out/nwucla$stream" --cfg-options model.text_branch.encoder=None \
            model.text_branch.features=data/text_features/nwucla_minilm.safetensors \
            {train_dataloader.dataset,val_dataloader,test_dataloader}.dataset.ann_file="$data" \
            "${epochs[@]}" &
    done
    wait
    grep -h "acc/top1" "$out"/nwucla*.log | tail -n 8
fi
python tests/cuda/measure.py --table "$out/times.json" > "$out/times.md"
