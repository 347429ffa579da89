# For the 17 joints of COCO; the three channels are x, y and confidence.
_base_ = "./gap_ctrgcn_mmaction2.py"

model = dict(
    data_preprocessor=dict(layout="coco"), backbone=dict(graph_cfg=dict(layout="coco"))
)
