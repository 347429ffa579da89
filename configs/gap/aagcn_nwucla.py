# NW-UCLA, joint stream, with mmaction2's AAGCN.
_base_ = ["ctrgcn_nwucla.py"]

model = dict(backbone=dict(type="AAGCN"))
