"""The tools and MMPose's inferencer, on small data that the test makes and,
where it is there, on the real photographs beside the checkout."""
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import cv2
import mmengine
import numpy as np
import pytest
import torch
from mmengine.config import Config
from mmpose.apis import MMPoseInferencer
from mmpose.registry import MODELS

from mmpose_shn.datasets.drawn_people import write_drawn_mpii
from mmpose_shn.inference import find_inputs, stage_sheet

ROOT = Path(__file__).parents[1]
SHARED = ROOT.parent / 'shared'
DEMO = str(ROOT / 'configs' / 'shn_demo.py')
NARROW = [
    'model.backbone.feat_channels=16', 'model.backbone.stem_channels=(8,12,16)'
]
needs_shared = pytest.mark.skipif(
    not SHARED.is_dir(), reason='the sample photographs are not there')


def tool(name, *arguments, cwd, code=0):
    """Run a tool as a user does; return what it printed."""
    done = subprocess.run(
        [sys.executable, str(ROOT / 'tools' / name), *map(str, arguments)],
        cwd=cwd, capture_output=True, text=True,
        env={**os.environ, 'PYTHONPATH': str(ROOT)})
    output = done.stdout + done.stderr
    assert done.returncode == code, output[-3000:]
    return output


def drawn_options(root, *options):
    return ['--cfg-options', *NARROW, *options, *(
        f'{split}_dataloader.{key}'
        for split in ('train', 'val', 'test')
        for key in ('num_workers=0', 'persistent_workers=False',
                    f'dataset.data_root={root}/')), *(
            f'{split}_dataloader.dataset.headbox_file={root}/'
            'annotations/mpii_gt_val.mat' for split in ('val', 'test'))]


@pytest.fixture(scope='module')
def drawn(tmp_path_factory):
    root = tmp_path_factory.mktemp('drawn')
    write_drawn_mpii(root, num_train=32, num_val=8, seed=0, progress=False)
    return root


@pytest.fixture(scope='module')
def trained(drawn, tmp_path_factory):
    """A work folder with two epochs of training."""
    folder = tmp_path_factory.mktemp('work')
    tool('train.py', DEMO, '--work-dir', folder / 'run',
         *drawn_options(drawn, 'train_cfg.max_epochs=2',
                        'train_cfg.val_interval=2',
                        'default_hooks.checkpoint.max_keep_ckpts=2',
                        'randomness.seed=1'), cwd=folder)
    return folder


@pytest.fixture(scope='module')
def inferencer(trained):
    cfg = Config.fromfile(trained / 'run' / 'shn_demo.py')
    return MMPoseInferencer(cfg, str(trained / 'run' / 'epoch_2.pth'),
                            det_model='whole_image', device='cpu')


def test_training_logs_every_stack_and_keeps_what_it_needs(trained):
    log = [json.loads(line) for line in
           next(trained.glob('run/*/vis_data/scalars.json')).open()]
    last = [entry for entry in log if 'loss' in entry][-1]
    assert last['loss'] == pytest.approx(
        last['loss_kpt.0'] + last['loss_kpt.1'], abs=1e-6)
    assert 0 <= last['acc_pose'] <= 1
    assert any('PCK' in entry for entry in log)
    assert (trained / 'run' / 'epoch_2.pth').is_file()


def test_training_goes_on_where_it_stopped(trained, drawn):
    folder = trained / 'resumed'
    folder.mkdir()
    shutil.copy(trained / 'run' / 'epoch_1.pth', folder)
    (folder / 'last_checkpoint').write_text(str(folder / 'epoch_1.pth'))
    output = tool('train.py', DEMO, '--work-dir', folder, '--resume',
                  *drawn_options(drawn, 'train_cfg.max_epochs=2',
                                 'train_cfg.val_interval=2'), cwd=trained)
    assert 'resumed epoch: 1' in output and 'Epoch(train)  [1]' not in output


def test_tested_with_dump_out_and_pictures(trained, drawn):
    tool('test.py', DEMO, trained / 'run' / 'epoch_2.pth', '--work-dir',
         trained / 'test', '--out', trained / 'metrics.json', '--dump',
         trained / 'dump.pkl', '--show-dir', trained / 'shown',
         *drawn_options(drawn), cwd=trained)
    metrics = json.loads((trained / 'metrics.json').read_text())
    assert {'Head PCK', 'Ankle PCK', 'PCK'} <= metrics.keys()
    dumped = mmengine.load(trained / 'dump.pkl')
    assert len(dumped) == 8
    assert dumped[0]['pred_instances']['keypoints'].shape == (1, 16, 2)
    assert len(list(trained.glob('shown/*'))) == 8


def test_the_demo_from_drawing_to_pictures(tmp_path):
    arguments = ['--num-train', 16, '--num-val', 4, '--epochs', 1]
    output = tool('demo.py', *arguments, cwd=tmp_path)
    assert 'PCKh@0.5 on held-out drawn people' in output
    pictures = list((tmp_path / 'work_dirs/shn_demo/pictures').iterdir())
    assert len(pictures) == 4
    output = tool('demo.py', '--num-train', 18, *arguments[2:], cwd=tmp_path,
                  code=1)
    assert 'holds a training on other data' in output


@pytest.mark.parametrize('script, launcher, arguments, expected', [
    ('dist_train.sh', 'python', 'c.py 8 --amp',
     '--nproc_per_node=8 {tools}/train.py c.py --launcher pytorch --amp'),
    ('dist_test.sh', 'python', 'c.py w.pth 4 --out m.json',
     '--nproc_per_node=4 {tools}/test.py c.py w.pth --launcher pytorch '
     '--out m.json'),
    ('slurm_train.sh', 'srun', 'gpu job c.py work --resume',
     'python -u {tools}/train.py c.py --work-dir work --launcher slurm '
     '--resume'),
])
def test_launchers(tmp_path, script, launcher, arguments, expected):
    """What the scripts hand to the launcher. (MMEngine's distributed start
    needs a GPU, so they cannot be run through on a CPU.)"""
    fake = tmp_path / launcher
    fake.write_text('#!/bin/sh\necho "$@"\n')
    fake.chmod(0o755)
    tools = ROOT / 'tools'
    done = subprocess.run(
        ['bash', str(tools / script), *arguments.split()], text=True,
        capture_output=True, check=True,
        env={**os.environ, 'PATH': f'{tmp_path}:{os.environ["PATH"]}'})
    assert done.stdout.strip().endswith(expected.format(tools=tools))


def test_inferencer_on_pictures_arrays_folders_and_videos(
        inferencer, drawn, tmp_path):
    pictures = sorted((drawn / 'images').iterdir())[:3]
    for picture in pictures:
        shutil.copy(picture, tmp_path)
    frames = [cv2.resize(cv2.imread(str(p)), (160, 128)) for p in pictures]
    video = cv2.VideoWriter(str(tmp_path / 'video.mp4'),
                            cv2.VideoWriter_fourcc(*'mp4v'), 5, (160, 128))
    for frame in frames:
        video.write(frame)
    video.release()

    def keypoints(inputs, **kwargs):
        results = list(inferencer(inputs, **kwargs))
        points = [r['predictions'][0][0]['keypoints'] for r in results]
        assert np.isfinite(points).all() and len(points[0]) == 16
        return points

    out = tmp_path / 'out'
    one = keypoints(str(pictures[0]), out_dir=str(out))
    assert (out / 'visualizations' / pictures[0].name).is_file()
    assert (out / 'predictions' / f'{pictures[0].stem}.json').is_file()
    assert keypoints(cv2.imread(str(pictures[0]))) == one
    (tmp_path / 'folder').mkdir()
    for picture in pictures:
        shutil.copy(picture, tmp_path / 'folder')
    folder = keypoints(str(tmp_path / 'folder'), draw_heatmap=True,
                       out_dir=str(out))
    assert len(folder) == 3 and folder[0] == one[0]
    assert len(keypoints(str(tmp_path / 'video.mp4'), out_dir=str(out))) == 3
    assert (out / 'visualizations' / 'video.mp4').stat().st_size > 0


def test_sheet_of_stages(inferencer, drawn):
    picture = sorted((drawn / 'images').iterdir())[0]
    height, width = cv2.imread(str(picture)).shape[:2]
    sheet = stage_sheet(inferencer, str(picture), kpt_thr=0)
    assert sheet.dtype == np.uint8
    # a title, the picture and its heatmaps, once for each of the 2 stacks
    assert sheet.shape[1] == 2 * width + 8
    assert sheet.shape[0] == 2 * height + 28
    assert (sheet[:, :width] != sheet[:, -width:]).any()
    assert inferencer.inferencer.model.test_cfg.get('stage', -1) == -1


def test_inference_tool(trained, drawn, tmp_path):
    picture = sorted((drawn / 'images').iterdir())[0]
    shutil.copy(picture, tmp_path / 'good.jpg')
    (tmp_path / 'bad.jpg').write_text('not a picture')
    (tmp_path / 'notes.unknown').write_text('nor this')
    arguments = [trained / 'run' / 'shn_demo.py',
                 trained / 'run' / 'epoch_2.pth', '--out-dir',
                 tmp_path / 'out', '--device', 'cpu']
    output = tool('inference.py', tmp_path, *arguments, cwd=trained)
    assert 'skipped' in output and 'bad.jpg' in output
    assert '1 of 2 inputs done' in output
    assert (tmp_path / 'out' / 'visualizations' / 'good.jpg').is_file()
    assert (tmp_path / 'out' / 'predictions' / 'good.json').is_file()
    output = tool('inference.py', tmp_path / 'bad.jpg', *arguments,
                  cwd=trained, code=1)
    assert output.strip() == \
        f'error: {tmp_path}/bad.jpg is not a picture that can be read.'
    output = tool('inference.py', tmp_path / 'good.jpg', arguments[0],
                  'none.pth', cwd=trained, code=1)
    assert output.strip() == 'error: There is no checkpoint file none.pth.'


def test_inputs_that_are_none(tmp_path):
    with pytest.raises(FileNotFoundError, match='no file or folder'):
        find_inputs(str(tmp_path / 'none.jpg'))
    with pytest.raises(ValueError, match='holds no picture'):
        find_inputs(str(tmp_path))
    (tmp_path / 'a.mp4').write_text('not a video')
    with pytest.raises(ValueError, match='not a video'):
        find_inputs(str(tmp_path / 'a.mp4'))


@pytest.mark.parametrize('name', ['train.py', 'test.py'])
def test_missing_data_is_said_before_a_model_is_built(name, tmp_path):
    weights = ['none.pth'] if name == 'test.py' else []
    output = tool(name, DEMO, *weights, cwd=tmp_path, code=1)
    assert output.startswith('error: ') and 'Traceback' not in output
    assert 'data/drawn_people/' in output and 'draw_people.py' in output


def test_a_config_by_its_scope_and_one_that_does_not_fit(tmp_path):
    output = tool('train.py', 'mmpose_shn::shn1_mpii.py', '--cfg-options',
                  'model.head.num_stages=2', cwd=tmp_path, code=1)
    assert output.startswith('error: model.backbone.num_stacks=1')


def test_a_built_package_carries_configs_and_tools(tmp_path):
    """What a wheel holds: found and loaded from another folder."""
    pytest.importorskip('setuptools')
    source = tmp_path / 'source'
    shutil.copytree(ROOT, source, symlinks=True, ignore=shutil.ignore_patterns(
        '.git', '.venv', 'data', 'work_dirs', 'build', '*.egg-info'))
    subprocess.run([sys.executable, 'setup.py', '-q', 'build', '--build-lib',
                    str(tmp_path / 'lib')], cwd=source, check=True,
                   capture_output=True)
    shutil.rmtree(source)
    (tmp_path / 'child.py').write_text(
        "_base_ = ['mmpose_shn::shn_mpii.py']")
    code = ('import mmpose_shn; from mmengine.config import Config; '
            'print(mmpose_shn.__file__); '
            'print(Config.fromfile("child.py").model.backbone.num_stacks)')
    done = subprocess.run([sys.executable, '-c', code], cwd=tmp_path,
                          env={**os.environ,
                               'PYTHONPATH': str(tmp_path / 'lib')},
                          capture_output=True, text=True, check=True)
    where, num_stacks = done.stdout.splitlines()[-2:]
    assert where.startswith(str(tmp_path / 'lib')) and num_stacks == '8'
    tools = tmp_path / 'lib' / 'mmpose_shn' / '.mim' / 'tools'
    assert (tools / 'train.py').is_file()
    assert (tools / 'dataset_converters' / 'draw_people.py').is_file()
    mim = tools.parent
    assert (mim / 'model-index.yml').is_file()
    assert (mim / 'configs' / 'published' / 'metafile.yml').is_file()


def random_checkpoint(config, path, *options):
    cfg = Config.fromfile(ROOT / 'configs' / config)
    torch.manual_seed(0)
    cfg.merge_from_dict(dict(
        (key, eval(value)) for key, value in
        (option.split('=') for option in options)))
    with mmengine.registry.DefaultScope.overwrite_default_scope('mmpose'):
        model = MODELS.build(cfg.model)
    torch.save(dict(state_dict=model.state_dict()), path)
    return path


@needs_shared
def test_mpii_sample_through_options_alone(tmp_path):
    root = f'{SHARED}/mpii_sample/'
    weights = random_checkpoint('shn2_mpii.py', tmp_path / 'w.pth', *NARROW)
    tool(
        'test.py', ROOT / 'configs' / 'shn2_mpii.py', weights, '--cfg-options',
        *NARROW, f'test_dataloader.dataset.data_root={root}',
        'test_dataloader.dataset.ann_file=annotations/test_mpii.json',
        'test_dataloader.dataset.headbox_file='
        f'{root}annotations/mpii_gt_val.mat', '--out', tmp_path / 'out.json',
        cwd=tmp_path)
    metrics = json.loads((tmp_path / 'out.json').read_text())
    assert 0 <= metrics['PCK'] <= 100


@needs_shared
def test_coco_sample_through_options_alone(tmp_path):
    root = f'{SHARED}/coco_sample/'
    weights = random_checkpoint('shn1_coco.py', tmp_path / 'w.pth', *NARROW)
    tool(
        'test.py', ROOT / 'configs' / 'shn1_coco.py', weights, '--cfg-options',
        *NARROW, f'test_dataloader.dataset.data_root={root}',
        'test_dataloader.dataset.ann_file=annotations/test_coco.json',
        'test_dataloader.dataset.data_prefix.img=images/',
        'test_dataloader.dataset.bbox_file=None',
        f'test_evaluator.ann_file={root}annotations/test_coco.json', '--out',
        tmp_path / 'out.json', cwd=tmp_path)
    metrics = json.loads((tmp_path / 'out.json').read_text())
    assert 0 <= metrics['coco/AP'] <= 1


@needs_shared
def test_five_people_of_mpii_are_learnt_by_heart(tmp_path):
    """The standard config at reduced width reaches PCKh@0.5 = 100."""
    root = f'{SHARED}/mpii_sample/'
    options = []
    for split in ('train', 'val'):
        options += [
            f'{split}_dataloader.dataset.data_root={root}',
            f'{split}_dataloader.dataset.ann_file='
            'annotations/test_mpii.json',
            f'{split}_dataloader.num_workers=0',
            f'{split}_dataloader.persistent_workers=False'
        ]
    # One iteration an epoch; without augmentation a hundred are enough.
    tool('train.py', ROOT / 'configs' / 'shn1_mpii.py', '--work-dir',
         tmp_path / 'run', '--cfg-options', *options,
         f'val_dataloader.dataset.headbox_file={root}'
         'annotations/mpii_gt_val.mat',
         'model.backbone.feat_channels=64',
         'model.backbone.stem_channels=(16,32,64)',
         'train_dataloader.dataset.pipeline.2.prob=0.',
         'train_dataloader.dataset.pipeline.3.scale_prob=0.',
         'train_dataloader.dataset.pipeline.3.rotate_prob=0.',
         'optim_wrapper.optimizer.lr=5e-4', 'param_scheduler.0.end=20',
         'train_cfg.max_epochs=100', 'train_cfg.val_interval=20',
         'default_hooks.checkpoint.interval=1000', 'randomness.seed=0',
         cwd=tmp_path)
    log = [json.loads(line) for line in
           next(tmp_path.glob('run/*/vis_data/scalars.json')).open()]
    assert max(entry.get('PCK', 0) for entry in log) == 100


@needs_shared
def test_unlabelled_photographs(inferencer, tmp_path):
    pictures, unreadable = find_inputs(str(SHARED / 'mpii_unlabelled'))
    assert len(pictures) == 8 and not unreadable
    for draw_heatmap in (False, True):
        results = list(inferencer(str(SHARED / 'mpii_unlabelled'),
                                  draw_heatmap=draw_heatmap,
                                  out_dir=str(tmp_path)))
        assert len(results) == 8
        assert len(list((tmp_path / 'visualizations').iterdir())) == 8
