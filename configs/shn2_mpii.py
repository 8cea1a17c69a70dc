"""Two stacks on MPII."""
_base_ = ['shn_mpii.py']

model = dict(backbone=dict(num_stacks=2), head=dict(num_stages=2))
