"""Turn published checkpoints into ours, and ours into those of other codes."""
import warnings
from types import SimpleNamespace
from typing import Dict, Optional

import numpy as np
import torch
from mmengine.logging import print_log
from mmpose.datasets.datasets.utils import parse_pose_metainfo
from mmpose.registry import DATASETS
from torch import Tensor

from mmpose_shn.backbones import StackedHourglass
from mmpose_shn.backbones.stacked_hourglass import (_is_prediction,
                                                    architecture_of)
from mmpose_shn.version import __version__

from . import bearpaw, princeton, umich

# MMPose's checkpoints, and ours, need no new names.
_MMPOSE = SimpleNamespace(
    MARKS=('stem.0.weight', 'stacks.0.features.1.weight'))
FAMILIES = dict(bearpaw=bearpaw, princeton=princeton, mmpose=_MMPOSE)

# The config with the pixels and the decoding of each family
_CONFIGS = dict(
    bearpaw='published/bearpaw_hg8_mpii.py',
    princeton='published/princeton_hg8_mpii.py',
    umich='published/umich_hg8_mpii.py',
    mmpose='shn_mpii.py')

# What DataParallel, princeton's Trainer and MMPose put before every name
_WRAPPERS = ('module.', 'model.', 'backbone.')


def to_mmpose(checkpoint,
              source: str,
              out_channels: Optional[int] = None) -> dict:
    """Turn a checkpoint of any known family into one of MMPose.

    Args:
        checkpoint: What was read from the file: the state dict, or a dict
            that holds it, or a Torch7 network.
        source (str): Where it came from, for messages.
        out_channels (int, optional): The number of keypoints that it is
            wanted for. If the checkpoint has another, the layers of the
            prediction are left out, to start anew. Defaults to None: keep
            them.

    Returns:
        dict: ``state_dict`` with the names of a pose estimator
        (``backbone.stem.0.weight``, ...) and ``meta`` with ``family`` and,
        where the keypoints are MPII's, ``dataset_meta``. Of the ``meta`` of
        the source only ``family``, ``dataset_meta``, ``epoch`` and ``iter``
        are kept.

    Raises:
        ValueError: If it is not a checkpoint, of no known family, incomplete
            or has values that are not finite numbers.
    """
    meta = dict(mmpose_shn_version=__version__)
    if umich.is_network(checkpoint):
        family = 'umich'
        try:
            weights = umich.to_ours(checkpoint)
        except (AttributeError, LookupError, RecursionError,
                TypeError) as error:
            raise ValueError(f'{source} holds a Torch7 network that is not '
                             f'that of pose-hg-train: {error!r}') from None
        except ValueError as error:
            raise ValueError(f'{source}: {error}.') from None
    else:
        theirs = _state_dict(checkpoint, source)
        family = _family(theirs, source)
        if family == 'mmpose':
            weights = {k: v for k, v in theirs.items()
                       if k.startswith(('stem.', 'stacks.'))}
            meta.update(_known_meta(checkpoint.get('meta')))
        else:
            module = FAMILIES[family]
            theirs = getattr(module, 'before_ours', dict)(theirs)
            names = {their: our
                     for our, their in module.layers(**module.size(theirs))}
            weights = _renamed(theirs, names, source, family)
    # without what may hang on a Tensor that pickle has built
    weights = {key: tensor.detach() for key, tensor in weights.items()}
    _check_kind(weights, source)
    _check_complete(weights, source, family)
    _check_finite(weights, source)
    meta.setdefault('family', family)

    num_keypoints = architecture_of(weights)['out_channels']
    if num_keypoints == 16 and 'dataset_meta' not in meta:
        with warnings.catch_warnings():
            # MMPose warns that it takes the file from its own package
            warnings.filterwarnings('ignore', 'The metainfo config file')
            meta['dataset_meta'] = parse_pose_metainfo(
                DATASETS.get('mmpose.MpiiDataset').METAINFO)
    if out_channels not in (None, num_keypoints):
        weights = _without_prediction(weights, num_keypoints, out_channels)
        meta.pop('dataset_meta', None)
    return dict(
        meta=meta,
        state_dict={f'backbone.{k}': v for k, v in weights.items()})


def from_mmpose(checkpoint: dict, family: str,
                source: str) -> Dict[str, Tensor]:
    """Turn a checkpoint of any known family into the bare state dict that the
    code of another loads with ``model.load_state_dict``.

    Args:
        checkpoint (dict): A checkpoint, as for :func:`to_mmpose`.
        family (str): ``'bearpaw'`` or ``'princeton'``.
        source (str): Where it came from, for messages.

    Returns:
        dict[str, Tensor]: The weights under their names.

    Raises:
        ValueError: If their code cannot build this network.
    """
    weights = {key[len('backbone.'):]: tensor for key, tensor in
               to_mmpose(checkpoint, source)['state_dict'].items()}
    module, architecture = FAMILIES[family], architecture_of(weights)
    differences = [
        f'{name}={architecture[name]} instead of {value}'
        for name, value in module.ARCHITECTURE.items()
        if architecture[name] != value
    ]
    if differences:
        raise ValueError(
            f"{source} is a network that {family}'s code cannot build: "
            f'{", ".join(differences)}.')
    names = dict(
        module.layers(*(architecture[name]
                        for name in ('num_stacks', 'num_blocks', 'depth'))))
    theirs = _renamed(weights, names, source, 'mmpose')
    return getattr(module, 'after_theirs', dict)(theirs)


def matching_config(checkpoint: dict) -> str:
    """The text of a config for a checkpoint that :func:`to_mmpose` made."""
    architecture = architecture_of({
        key[len('backbone.'):]: tensor
        for key, tensor in checkpoint['state_dict'].items()
    })
    family = checkpoint['meta']['family']
    backbone = ''.join(f'        {name}={value!r},\n'
                       for name, value in architecture.items())
    others = '' if 'dataset_meta' in checkpoint['meta'] else (
        f'# {architecture["out_channels"]} keypoints: the data of the base '
        'are not those of this network\n')
    return (
        f'"""A network of the family {family}, with its pixels and '
        'decoding."""\n'
        f"_base_ = ['mmpose_shn::{_CONFIGS[family]}']\n\n{others}"
        f'model = dict(\n    backbone=dict(\n{backbone}    ),\n'
        f'    head=dict(\n        num_stages={architecture["num_stacks"]},\n'
        f'        out_channels={architecture["out_channels"]}))\n')


def _state_dict(checkpoint, source: str) -> Dict[str, Tensor]:
    """Take the state dict out of what holds it and strip common prefixes."""
    state_dict = checkpoint
    while isinstance(state_dict, dict):
        inner = next((state_dict[key] for key in ('state_dict', 'model')
                      if isinstance(state_dict.get(key), dict)), None)
        if inner is None:
            break
        state_dict = inner
    if not isinstance(state_dict, dict) or not state_dict or not all(
            isinstance(k, str) and isinstance(v, Tensor)
            for k, v in state_dict.items()):
        raise ValueError(f'{source} is not a checkpoint: there is no dict of '
                         'names and tensors in it.')
    if any(key.startswith('backbone.') for key in state_dict):
        state_dict = {k: v for k, v in state_dict.items()
                      if k.startswith('backbone.')}
    stripped = True
    while stripped:
        stripped = False
        for prefix in _WRAPPERS:
            if all(key.startswith(prefix) for key in state_dict):
                state_dict = {key[len(prefix):]: tensor
                              for key, tensor in state_dict.items()}
                stripped = True
    return dict(state_dict)


def _known_meta(meta) -> dict:
    """The entries of a checkpoint's ``meta`` that are kept. The others are not
    to be trusted: MMEngine evaluates ``cfg`` and ``config`` when it
    resumes."""
    known = dict(
        family=lambda value: type(value) is str and value in _CONFIGS,
        dataset_meta=lambda value: type(value) is dict and _is_plain(value),
        epoch=lambda value: type(value) is int,
        iter=lambda value: type(value) is int)
    return {key: meta[key] for key, is_good in known.items()
            if isinstance(meta, dict) and key in meta and is_good(meta[key])}


def _is_plain(value) -> bool:
    """Whether a value is of numbers, text and arrays, all the way down."""
    if type(value) is dict:
        return all(map(_is_plain, (*value, *value.values())))
    if type(value) in (list, tuple):
        return all(map(_is_plain, value))
    if type(value) in (np.ndarray, *np.sctypeDict.values()):
        return value.dtype.kind in 'biufSU'
    return value is None or type(value) in (bool, int, float, str)


def _family(state_dict: dict, source: str) -> str:
    for name, module in FAMILIES.items():
        if all(mark in state_dict for mark in module.MARKS):
            return name
    met = list(state_dict)
    tried = '\n'.join(f'  {name}: {", ".join(module.MARKS)}'
                      for name, module in FAMILIES.items())
    raise ValueError(
        f'{source} is a checkpoint of another network. Its {len(met)} keys '
        f'begin with {", ".join(met[:5])}. The families that were tried, and '
        f'the keys that each is recognised by:\n{tried}\n'
        '  umich: a Torch7 file (.t7) with nn.gModule')


def _renamed(state_dict: dict, names: dict, source: str,
             family: str) -> Dict[str, Tensor]:
    layers = {key: key.rpartition('.')[0] for key in state_dict}
    unknown = [key for key, layer in layers.items() if layer not in names]
    if unknown:
        raise ValueError(
            f'{source} looks like a checkpoint of the family {family}, but '
            f'{len(unknown)} of its keys are none of it: '
            f'{", ".join(unknown[:4])}.')
    return {names[layer] + key[len(layer):]: state_dict[key]
            for key, layer in layers.items()}


def _check_complete(weights: dict, source: str, family: str) -> None:
    """Compare names and shapes with the network that they are said to be."""
    try:
        architecture = architecture_of(weights)
        with torch.device('meta'):
            network = StackedHourglass(
                **{**architecture,
                   'out_channels': architecture['out_channels'] or 1})
    except (KeyError, ValueError, RuntimeError, IndexError) as error:
        raise ValueError(f'{source} is a damaged checkpoint of the family '
                         f'{family}: {error}.') from None
    expected = {k: v.shape for k, v in network.state_dict().items()
                if not k.endswith('.num_batches_tracked')}
    problems = [k for k in expected if k not in weights or
                weights[k].shape != expected[k]]
    problems += [k for k in weights if k not in expected
                 and not k.endswith('.num_batches_tracked')]
    if problems:
        raise ValueError(
            f'{source} is a damaged checkpoint of the family {family}: '
            f'{len(problems)} weights are missing, superfluous or of another '
            f'shape (in our names): {", ".join(problems[:4])}.')


def _check_kind(weights: dict, source: str) -> None:
    bad = [
        k for k, v in weights.items()
        if type(v) is not Tensor or v.layout != torch.strided or v.is_meta
        or not (v.is_floating_point() or k.endswith('.num_batches_tracked'))
    ]
    if bad:
        raise ValueError(
            f'{source} has {len(bad)} weights that are not dense tensors of '
            f'floating-point numbers (in our names): {", ".join(bad[:4])}.')


def _check_finite(weights: dict, source: str) -> None:
    bad = [k for k, v in weights.items()
           if v.is_floating_point() and not v.isfinite().all()]
    if bad:
        raise ValueError(f'{source} has values that are not finite (NaN or '
                         f'infinite) in {len(bad)} weights (in our names): '
                         f'{", ".join(bad[:4])}.')


def _without_prediction(weights: dict, num_keypoints: int,
                        out_channels: int) -> dict:
    kept = {k: v for k, v in weights.items() if not _is_prediction(k)}
    layers = dict.fromkeys(k.rpartition('.')[0] for k in weights
                           if k not in kept)
    print_log(
        f'The checkpoint has {num_keypoints} keypoints and is loaded for '
        f'{out_channels}. These layers start anew: {", ".join(layers)}.',
        'current')
    return kept
