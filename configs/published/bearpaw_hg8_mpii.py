"""bearpaw's network of 8 stacks as they test it: a wider stem, MPII's mean
colour subtracted from pixels in [0, 1], which no deviation divides, and their
way to round the box."""
_base_ = ['princeton_hg8_mpii.py']

model = dict(
    data_preprocessor=dict(
        mean=[0.4404 * 255, 0.4440 * 255, 0.4327 * 255]),
    backbone=dict(stem_channels=(64, 128, 256)))

crop = dict(shrink_first=True, one_based=True, shift=0.5)
val_pipeline = [
    *_base_.val_pipeline[:-2], {
        **_base_.crop,
        **crop
    },
    dict(type='PackPoseInputs')
]
val_dataloader = dict(dataset=dict(pipeline=val_pipeline))
test_dataloader = val_dataloader
