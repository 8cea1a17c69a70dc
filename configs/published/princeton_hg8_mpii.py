"""princeton's network of 8 stacks as they test it: pixels in [0, 1] with
nothing subtracted, the person cut out at whole pixels, the heatmaps of image
and mirrored image averaged as they are, and peaks read off as `PixelHeatmap`
says. The box, MPII's moved down by 15 px x scale and enlarged by 1.25, is that
of MMPose's data set."""
_base_ = ['../shn_mpii.py']

codec = dict(type='PixelHeatmap')
crop = dict(
    type='WholePixelCrop',
    input_size=_base_.codec['input_size'],
    shift=-0.5)

model = dict(head=dict(decoder=codec), test_cfg=dict(shift_heatmap=False))

# fine-tuned on targets of the same kind
train_pipeline = [
    *_base_.train_pipeline[:-2],
    dict(type='GenerateTarget', encoder={
        **_base_.codec,
        **codec
    }),
    dict(type='PackPoseInputs')
]
val_pipeline = [*_base_.val_pipeline[:-2], crop, dict(type='PackPoseInputs')]
train_dataloader = dict(dataset=dict(pipeline=train_pipeline))
val_dataloader = dict(dataset=dict(pipeline=val_pipeline))
test_dataloader = val_dataloader
