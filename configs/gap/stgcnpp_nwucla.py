# NW-UCLA, joint stream, with mmaction2's ST-GCN++; its graph is AAGCN's.
_base_ = ["aagcn_nwucla.py"]

model = dict(
    backbone=dict(
        type="STGCN", gcn_adaptive="init", gcn_with_res=True, tcn_type="mstcn"
    )
)
