# NW-UCLA, joint stream, with mmaction2's ST-GCN++.
_base_ = ["stgcn_nwucla.py"]

model = dict(
    backbone=dict(
        graph_cfg=dict(mode="spatial"),
        gcn_adaptive="init",
        gcn_with_res=True,
        tcn_type="mstcn",
    )
)
