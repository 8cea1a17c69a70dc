"""8 stacks on COCO at 256x256."""
_base_ = ['shn_coco.py']

codec = dict(input_size=(256, 256), heatmap_size=(64, 64))
full_codec = {**_base_.full_codec, **codec}

model = dict(head=dict(decoder=codec))

train_pipeline = [
    *_base_.train_pipeline[:-3],
    dict(type='TopdownAffine', input_size=codec['input_size']),
    dict(type='GenerateTarget', encoder=full_codec),
    dict(type='PackPoseInputs')
]
val_pipeline = [
    *_base_.val_pipeline[:-2],
    dict(type='TopdownAffine', input_size=codec['input_size']),
    dict(type='PackPoseInputs')
]

train_dataloader = dict(dataset=dict(pipeline=train_pipeline))
val_dataloader = dict(dataset=dict(pipeline=val_pipeline))
test_dataloader = val_dataloader
