_base_ = "./gap_ctrgcn_nwucla_cpu.py"

model = dict(
    text_branch=dict(
        prompts=dict(descriptions="data/descriptions/utkinect.yaml"),
        features="data/text_features/utkinect_minilm.safetensors",
    ),
)
