# NW-UCLA, joint stream, with the baseline of CTR-GCN.
_base_ = ["ctrgcn_nwucla.py"]

model = dict(backbone=dict(type="CTRBaseline"))
