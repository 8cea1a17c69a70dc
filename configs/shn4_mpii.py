"""Four stacks on MPII."""
_base_ = ['shn_mpii.py']

model = dict(backbone=dict(num_stacks=4), head=dict(num_stages=4))
