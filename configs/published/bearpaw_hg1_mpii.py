"""bearpaw's network of 1 stack."""
_base_ = ['bearpaw_hg8_mpii.py']

model = dict(backbone=dict(num_stacks=1), head=dict(num_stages=1))
