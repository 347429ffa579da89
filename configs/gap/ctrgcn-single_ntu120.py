# NTU RGB+D 120, X-Sub, joint stream, with single-scale CTR-GCN.
_base_ = ["ctrgcn_ntu120.py"]

model = dict(backbone=dict(temporal="single"))
