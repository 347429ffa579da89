# NW-UCLA, joint stream, with mmaction2's ST-GCN.
_base_ = ["ctrgcn_nwucla.py"]

model = dict(backbone=dict(type="STGCN", graph_cfg=dict(mode="stgcn_spatial")))
