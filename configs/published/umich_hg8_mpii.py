"""The authors' Torch7 network of 8 stacks: graph, pixels and decoding are
those of princeton's code, but large pictures are made smaller first."""
_base_ = ['princeton_hg8_mpii.py']

crop = dict(shrink_first=True, shift=0.5)
val_pipeline = [
    *_base_.val_pipeline[:-2], {
        **_base_.crop,
        **crop
    },
    dict(type='PackPoseInputs')
]
val_dataloader = dict(dataset=dict(pipeline=val_pipeline))
test_dataloader = val_dataloader
