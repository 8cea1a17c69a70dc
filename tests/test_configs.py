import os.path as osp
from pathlib import Path

import pytest
from mmengine.config import Config
from mmengine.hub import get_config
from mmengine.registry import DefaultScope
from mmpose.registry import MODELS

from mmpose_shn.checks import check_config
from mmpose_shn.upstream import config_path

ROOT = Path(__file__).parents[1]
CONFIGS = sorted(p.name for p in (ROOT / 'configs').glob('*.py'))


def build(cfg):
    with DefaultScope.overwrite_default_scope('mmpose'):
        return MODELS.build(cfg.model)


def test_all_that_were_promised_are_there():
    assert {'shn_mpii.py', 'shn1_mpii.py', 'shn2_mpii.py', 'shn4_mpii.py',
            'shn_coco.py', 'shn_coco_256x256.py', 'shn_demo.py'} <= \
        set(CONFIGS)


@pytest.mark.parametrize('name', CONFIGS)
def test_parts_fit_each_other(name):
    cfg = Config.fromfile(ROOT / 'configs' / name)
    check_config(cfg, splits=())
    codec = cfg.model.head.decoder
    encoders = [s.encoder for s in cfg.train_dataloader.dataset.pipeline
                if s.type == 'GenerateTarget']
    assert encoders == [codec]  # trained and decoded alike
    model = build(cfg)
    assert len(model.backbone.stacks) == model.head.num_stages


@pytest.mark.parametrize('name, num_stacks', [
    ('shn_mpii.py', 8), ('shn1_mpii.py', 1), ('shn2_mpii.py', 2),
    ('shn4_mpii.py', 4), ('shn_coco.py', 8), ('shn1_coco.py', 1)])
def test_number_of_stacks(name, num_stacks):
    cfg = Config.fromfile(ROOT / 'configs' / name)
    assert cfg.model.backbone.num_stacks == num_stacks


def test_the_papers_recipe():
    cfg = Config.fromfile(ROOT / 'configs' / 'shn_mpii.py')
    assert cfg.codec.input_size == (256, 256)
    assert cfg.codec.sigma == 1
    assert cfg.optim_wrapper.optimizer == dict(type='RMSprop', lr=2.5e-4)
    augmentation = cfg.train_dataloader.dataset.pipeline[3]
    assert augmentation.scale_factor == (0.75, 1.25)
    assert augmentation.rotate_factor == 30


def test_published_initialisation_is_one_option():
    cfg = Config.fromfile(ROOT / 'configs' / 'shn1_mpii.py')
    cfg.merge_from_dict({'model.backbone.init_cfg': None})
    assert build(cfg).backbone.init_cfg is None


@pytest.mark.parametrize('name', ['shn2_mpii.py', '_base_/shn.py'])
def test_found_by_scope(tmp_path, name):
    """As a base, through mmengine.hub and by our tools."""
    child = tmp_path / 'child.py'
    child.write_text(f"_base_ = ['mmpose_shn::{name}']")
    cfg = Config.fromfile(child)
    assert cfg.model.backbone.type == 'StackedHourglass'
    assert type(build(cfg)).__name__ == 'TopdownPoseEstimator'
    assert get_config(f'mmpose_shn::{name}').model == \
        Config.fromfile(ROOT / 'configs' / name).model
    assert osp.samefile(config_path(f'mmpose_shn::{name}'),
                        ROOT / 'configs' / name)


def test_other_scopes_are_left_to_mmengine(tmp_path):
    child = tmp_path / 'child.py'
    child.write_text("_base_ = ['mmpose::_base_/default_runtime.py']")
    assert Config.fromfile(child).default_scope == 'mmpose'
    with pytest.raises(ValueError, match='specify the package name'):
        get_config('mmpose::default_runtime.py')
