# NW-UCLA, joint stream, with single-scale CTR-GCN.
_base_ = ["ctrgcn_nwucla.py"]

model = dict(backbone=dict(temporal="single"))
