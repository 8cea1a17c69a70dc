import json
from pathlib import Path

import pytest
from mmengine.config import Config

from mmpose_shn.backbones import StackedHourglass
from mmpose_shn.checks import check_config

CONFIGS = Path(__file__).parents[1] / 'configs'


def config(options={}, name='shn_demo.py'):
    cfg = Config.fromfile(CONFIGS / name)
    cfg.merge_from_dict(options)
    return cfg


UDP = dict(type='UDPHeatmap', input_size=(128, 128), heatmap_size=(32, 32),
           heatmap_type='combined')


@pytest.mark.parametrize('options, message', [
    ({'model.head.num_stages': 3}, 'num_stacks=2.*num_stages=3'),
    ({'model.head.out_channels': 17},
     'backbone.out_channels=16.*head.out_channels=17'),
    ({'model.head.out_channels': 17, 'model.backbone.out_channels': 17},
     'The train data set, mpii, has 16 keypoints.*out_channels=17'),
    ({'model.head.decoder': UDP},
     'mpii, has 16 keypoints, with three heatmaps each.*Set.*to 48'),
    ({'model.head.decoder.input_size': (128, 144)}, 'multiple of 32'),
    ({'model.backbone.depth': 6}, 'multiple of 256 for depth=6'),
    ({'model.head.decoder.heatmap_size': (64, 64)}, r'quarter.*\(32, 32\)'),
    ({'model.head.decoder.input_size': (256, 256),
      'model.head.decoder.heatmap_size': (64, 64)},
     r'TopdownAffine of the train pipeline makes images of \(128, 128\)'),
    ({'model.test_cfg.stage': 2}, 'stage=2 is out of range'),
    ({'model.test_cfg.stage': -3}, 'stage=-3 is out of range'),
    ({'model.head.stage_weights': [1, -1]}, 'must not be negative'),
    ({'model.head.stage_weights': [0, 0]}, 'at least one has to be positive'),
    ({'model.head.stage_weights': [1]}, 'has 1 entries for num_stages=2'),
])
def test_parts_that_do_not_fit(options, message):
    with pytest.raises(ValueError, match=message):
        check_config(config(options), splits=())


def test_targets_of_another_size():
    cfg = config()
    cfg.train_dataloader.dataset.pipeline[-2].encoder.heatmap_size = (64, 64)
    with pytest.raises(ValueError, match='GenerateTarget of the train'):
        check_config(cfg, splits=())


def test_a_test_set_with_other_keypoints():
    cfg = config({'test_dataloader.dataset.type': 'CocoDataset'})
    check_config(cfg, splits=())
    with pytest.raises(ValueError, match='The test data set, coco, has 17'):
        check_config(cfg, splits=('test', ))


@pytest.mark.parametrize('options', [
    {'model.backbone.type': StackedHourglass}, {'model.test_cfg': None},
    {'model.head': dict(type='HeatmapHead', in_channels=16, out_channels=16)},
    {'model.head': None}, {'model.backbone': None}
])
def test_other_ways_to_write_a_config(options):
    check_config(config(options), splits=())


def test_other_networks_are_not_ours_to_judge():
    cfg = Config.fromfile(CONFIGS / 'shn_demo.py')
    cfg.model = dict(type='TopdownPoseEstimator',
                     backbone=dict(type='HourglassNet', num_stacks=1),
                     head=dict(type='CPMHead', num_stages=1))
    check_config(cfg, splits=())


@pytest.fixture
def mpii_root(tmp_path):
    (tmp_path / 'images').mkdir()
    (tmp_path / 'annotations').mkdir()
    for name in ('mpii_train.json', 'mpii_val.json'):
        (tmp_path / 'annotations' / name).write_text(
            json.dumps([dict(image='1.jpg')]))
    (tmp_path / 'annotations' / 'mpii_gt_val.mat').touch()
    return tmp_path


def located(root):
    root = f'{root}/'
    return config({
        'train_dataloader.dataset.data_root': root,
        'val_dataloader.dataset.data_root': root,
        'val_dataloader.dataset.headbox_file':
        root + 'annotations/mpii_gt_val.mat'
    })


def test_complete_data(mpii_root):
    check_config(located(mpii_root), splits=('train', 'val'))


@pytest.mark.parametrize('split, name', [
    ('train', 'annotations/mpii_train.json'),
    ('val', 'annotations/mpii_val.json'),
    ('val', 'annotations/mpii_gt_val.mat'),
])
def test_a_missing_file_is_named_with_the_way_to_get_it(
        mpii_root, split, name):
    (mpii_root / name).unlink()
    with pytest.raises(FileNotFoundError) as error:
        check_config(located(mpii_root), splits=(split, ))
    assert str(mpii_root / name) in str(error.value)
    assert 'human-pose.mpi-inf.mpg.de' in str(error.value)


def test_a_missing_root_and_missing_detections():
    with pytest.raises(FileNotFoundError) as error:
        check_config(config(name='shn_coco.py'), splits=('test', ))
    for part in ('data/coco/annotations/person_keypoints_val2017.json',
                 'COCO_val2017_detections_AP_H_56_person.json',
                 'data/coco/val2017/', 'test_evaluator', 'cocodataset.org'):
        assert part in str(error.value)


@pytest.mark.parametrize('content, message', [
    ('', 'empty'), ('[]', 'empty'), ('{"annotations": []}', 'empty'),
    ('[{"image":', 'not valid JSON')])
def test_annotations_without_a_person(mpii_root, content, message):
    (mpii_root / 'annotations' / 'mpii_train.json').write_text(content)
    with pytest.raises(ValueError, match=f'mpii_train.json is {message}'):
        check_config(located(mpii_root), splits=('train', ))
