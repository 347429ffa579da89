# NTU RGB+D 60, X-Sub, joint stream, the recipe of the paper; sqrt(2 / 60) here.
_base_ = [
    "../_base_/models/gap_ctrgcn_ntu60.py",
    "../_base_/datasets/gap_ntu60_xsub.py",
    "../_base_/schedules/gap_sgd_110e.py",
    "../_base_/default_runtime.py",
]
model = dict(cls_head=dict(init_cfg=dict(type="Normal", layer="Linear", std=0.183)))
