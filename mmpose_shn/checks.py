"""Check a config before anything is built from it, so that a mistake costs a
second and not the loading of a data set or the first epoch."""
import inspect
import json
import os.path as osp
import warnings
from typing import Iterator, Optional, Sequence

from mmengine.config import Config
from mmengine.fileio import exists, get_local_path, isdir, join_path

from mmpose.apis.inference import dataset_meta_from_config

from .backbones import StackedHourglass
from .heads.multistage_heatmap_head import check_stage_weights

# Where to get what a data set class reads.
_HOW_TO_GET = dict(
    MpiiDataset='MPII: take the images (mpii_human_pose_v1.tar.gz, into '
    'images/) from http://human-pose.mpi-inf.mpg.de and the annotations '
    '(into annotations/) from https://download.openmmlab.com/mmpose/datasets/'
    'mpii_annotations.tar. For the drawn people of configs/shn_demo.py run '
    '`python tools/dataset_converters/draw_people.py data/drawn_people`.',
    CocoDataset='COCO: take train2017, val2017 and the 2017 annotations from '
    'https://cocodataset.org/#download and, for testing on detected people, '
    'the detections from https://download.openmmlab.com/mmpose/datasets/'
    'person_detection_results.zip (or test on the labelled boxes with '
    '`test_dataloader.dataset.bbox_file=None`).')

# An annotation file above this size is taken to hold somebody: reading all
# of COCO's twice would cost seconds.
_SMALL_FILE = 2**20


def check_config(cfg: Config, splits: Sequence[str]) -> None:
    """Check that the parts of a config fit each other and its data is there.

    Args:
        cfg (:obj:`Config`): The config.
        splits (Sequence[str]): Whose data is needed: some of ``'train'``,
            ``'val'`` and ``'test'``.

    Raises:
        FileNotFoundError: If a file or folder of the data is missing. The
            message names all that are missing and how to get them.
        ValueError: If numbers of stacks or keypoints, or sizes, do not fit
            each other, or an annotation file is empty.
    """
    if _name(cfg.model.get('backbone')) == 'StackedHourglass':
        _check_model(cfg, splits)
    for split in splits:
        _check_data(cfg, split)


def check_checkpoint(name: str) -> None:
    """Check that the file of a checkpoint is there; a URL, or what another
    scheme names, is left to its loader.

    Args:
        name (str): What a user gave for a checkpoint.

    Raises:
        FileNotFoundError: If it is not.
    """
    if '://' not in name and not osp.isfile(name):
        raise FileNotFoundError(f'There is no checkpoint file {name}.')


def _name(cfg: Optional[dict]) -> str:
    """The class that a config names, by its name or itself."""
    named = (cfg or {}).get('type', '')
    return named.split('.')[-1] if isinstance(named, str) else named.__name__


def _check_model(cfg: Config, splits: Sequence[str]) -> None:
    arguments = inspect.signature(StackedHourglass).parameters

    def of_backbone(name: str):
        return cfg.model.backbone.get(name, arguments[name].default)

    head = cfg.model.get('head') or {}
    num_stacks = of_backbone('num_stacks')
    if head.get('num_stages', num_stacks) != num_stacks:
        raise ValueError(
            f'model.backbone.num_stacks={num_stacks}, but '
            f'model.head.num_stages={head.num_stages}: make them equal.')
    check_stage_weights(head.get('stage_weights'), num_stacks)
    stage = (cfg.model.get('test_cfg') or {}).get('stage', -1)
    if not -num_stacks <= stage < num_stacks:
        raise ValueError(f'model.test_cfg.stage={stage} is out of range for '
                         f'{num_stacks} stacks: 0 to {num_stacks - 1}, or -1 '
                         'for the last.')

    channels = of_backbone('out_channels')
    if head.get('out_channels', channels) != channels:
        raise ValueError(
            f'model.backbone.out_channels={channels}, but model.head.'
            f'out_channels={head.out_channels}: both are the number of '
            'keypoints.')

    codec = head.get('decoder') or {}
    # UDP's combined heatmaps are a disc and two offset maps per keypoint
    per_keypoint = 3 if codec.get('heatmap_type') == 'combined' else 1
    for split in dict.fromkeys(('train', *splits)):
        _check_keypoints(cfg, split, channels, per_keypoint)

    if 'input_size' in codec:
        divisor = 2**(of_backbone('depth') + 2)
        if any(length % divisor for length in codec.input_size):
            raise ValueError(
                f'The input size {tuple(codec.input_size)} (width, height) '
                f'has to be a multiple of {divisor} for '
                f'depth={of_backbone("depth")}.')
        quarter = tuple(length // 4 for length in codec.input_size)
        if tuple(codec.heatmap_size) != quarter:
            raise ValueError(
                f'The heatmap size {tuple(codec.heatmap_size)} has to be a '
                f'quarter of the input size {tuple(codec.input_size)}: '
                f'{quarter}.')
        _check_pipelines(cfg, codec)


def _check_keypoints(cfg: Config, split: str, channels: int,
                     per_keypoint: int) -> None:
    with warnings.catch_warnings():
        # MMPose warns that it takes the metainfo file from its own package
        warnings.filterwarnings('ignore', 'The metainfo config file')
        metainfo = dataset_meta_from_config(cfg, dataset_mode=split)
    if metainfo and metainfo['num_keypoints'] * per_keypoint != channels:
        raise ValueError(
            f'The {split} data set, {metainfo["dataset_name"]}, has '
            f'{metainfo["num_keypoints"]} keypoints' +
            (', with three heatmaps each,' if per_keypoint == 3 else '') +
            f' but model.backbone.out_channels={channels}. Set out_channels '
            'of backbone and head to '
            f'{metainfo["num_keypoints"] * per_keypoint}.')


def _check_pipelines(cfg: Config, codec: dict) -> None:
    """The pipelines name the codec's sizes once more."""
    for split in ('train', 'val', 'test'):
        for dataset in _datasets(cfg, split):
            for step in dataset.get('pipeline', []):
                if _name(step) == 'TopdownAffine' and \
                        tuple(step.input_size) != tuple(codec.input_size):
                    raise ValueError(
                        f'TopdownAffine of the {split} pipeline makes images '
                        f'of {tuple(step.input_size)}, but the codec expects '
                        f'{tuple(codec.input_size)}.')
                # several encoders make targets of several sizes
                if _name(step) == 'GenerateTarget' and \
                        isinstance(step.encoder, dict) and \
                        tuple(step.encoder.get('heatmap_size', ())) != \
                        tuple(codec.heatmap_size):
                    raise ValueError(
                        f'GenerateTarget of the {split} pipeline makes '
                        f'heatmaps of {step.encoder.get("heatmap_size")}, but '
                        f'the head decodes {tuple(codec.heatmap_size)}.')


def _datasets(cfg: Config, split: str) -> Iterator[dict]:
    """The data sets of a split, also those inside wrappers."""
    loader = cfg.get(f'{split}_dataloader')
    pending = [loader.dataset] if loader else []
    while pending:
        dataset = pending.pop()
        pending += dataset.get('datasets', [])
        if 'dataset' in dataset:
            pending.append(dataset.dataset)
        if 'ann_file' in dataset:
            yield dataset


def _check_data(cfg: Config, split: str) -> None:
    missing, how = [], []
    for dataset in _datasets(cfg, split):
        root = dataset.get('data_root') or ''
        annotations = _joined(root, dataset.ann_file)
        images = _joined(root, dataset.get('data_prefix', {}).get('img', ''))
        absent = [
            path for path in (annotations, dataset.get('bbox_file'),
                              dataset.get('headbox_file'))
            if path and not exists(path)
        ]
        if images and not isdir(images):
            absent.append(osp.join(images, ''))
        if absent:
            missing += absent
            how.append(_HOW_TO_GET.get(_name(dataset), ''))
        else:
            _check_not_empty(annotations)
    evaluators = cfg.get(f'{split}_evaluator') or []
    for evaluator in ([evaluators]
                      if isinstance(evaluators, dict) else evaluators):
        path = evaluator.get('ann_file')
        if path and not exists(path):
            missing.append(f'{path} (of {split}_evaluator)')
    if missing:
        raise FileNotFoundError(
            f'Data of the {split} split is missing:\n  ' +
            '\n  '.join(dict.fromkeys(missing)) +
            ''.join(f'\n{text}' for text in dict.fromkeys(how)) +
            f'\nAnother place is named with --cfg-options '
            f'{split}_dataloader.dataset.data_root=FOLDER/ (bbox_file, '
            "headbox_file and the evaluator's ann_file are not relative to "
            'it).')


def _joined(root: str, path: str) -> str:
    return path if osp.isabs(path) or not root else join_path(root, path)


def _check_not_empty(annotations: str) -> None:
    if not annotations.endswith('.json'):
        return
    with get_local_path(annotations) as path:
        if osp.getsize(path) > _SMALL_FILE:
            return
        with open(path, encoding='utf-8') as file:
            content = file.read()
    try:
        people = json.loads(content or 'null')
    except ValueError as error:
        raise ValueError(
            f'{annotations} is not valid JSON: {error}') from None
    if isinstance(people, dict):
        people = people.get('annotations')
    if not people:
        raise ValueError(f'{annotations} is empty: it holds no annotation of '
                         'a person.')
