_base_ = "./ctrgcn_utd_mhad_cpu.py"

model = dict(data_preprocessor=dict(stream="bone"))
