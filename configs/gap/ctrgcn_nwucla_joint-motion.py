_base_ = "./ctrgcn_nwucla.py"

model = dict(data_preprocessor=dict(stream="joint-motion"))
