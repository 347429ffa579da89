_base_ = "./ctrgcn_ntu120-xset.py"

model = dict(data_preprocessor=dict(stream="joint-motion"))
