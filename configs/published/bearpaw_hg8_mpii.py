"""bearpaw's network of 8 stacks as they test it: the authors' way to cut a
person out, but for the rounding of the box, a wider stem, and MPII's mean
colour subtracted from pixels in [0, 1], which no deviation divides."""
_base_ = ['umich_hg8_mpii.py']

model = dict(
    data_preprocessor=dict(
        mean=[0.4404 * 255, 0.4440 * 255, 0.4327 * 255]),
    backbone=dict(stem_channels=(64, 128, 256)))

val_pipeline = [
    *_base_.val_pipeline[:-2],
    dict(**_base_.crop, one_based=True),
    dict(type='PackPoseInputs')
]
val_dataloader = dict(dataset=dict(pipeline=val_pipeline))
test_dataloader = val_dataloader
