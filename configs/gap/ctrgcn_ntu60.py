# NTU RGB+D 60, X-Sub, joint stream.
_base_ = [
    "../_base_/models/gap_ctrgcn.py",
    "../_base_/datasets/gap_ntu60_xsub.py",
    "../_base_/schedules/gap_sgd_110e.py",
    "../_base_/default_runtime.py",
]

model = dict(
    cls_head=dict(num_classes=60),
    text_branch=dict(prompts=dict(descriptions="data/descriptions/ntu60.yaml")),
)
