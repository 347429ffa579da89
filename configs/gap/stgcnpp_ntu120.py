# NTU RGB+D 120, X-Sub, joint stream, with mmaction2's ST-GCN++.
_base_ = ["ctrgcn_ntu120.py"]

model = dict(
    backbone=dict(
        type="STGCN", gcn_adaptive="init", gcn_with_res=True, tcn_type="mstcn"
    )
)
