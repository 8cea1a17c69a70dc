"""From a file of any family to MMPose: the scheme ``shn://``, which hands it
to MMEngine, and the conversion to a file."""
import os
import os.path as osp
import re
from typing import Optional

import torch
from mmengine.runner import CheckpointLoader

from .convert import from_mmpose, matching_config, to_mmpose
from .files import locate, read_checkpoint

_OPTION = re.compile(r'[?&]out_channels=(\d+)$')


@CheckpointLoader.register_scheme(prefixes='shn://')
def load_from_shn(filename: str, map_location=None) -> dict:
    """Load a published checkpoint, or any of ours, for MMPose.

    With this loader registered, ``shn://...`` stands wherever MMEngine and
    MMPose take a checkpoint: ``load_from=``, ``tools/test.py CONFIG
    CHECKPOINT``, ``MMPoseInferencer(pose2d_weights=)`` and
    ``init_cfg=dict(type='Pretrained', checkpoint=)``. It is not for resuming:
    there is no state of a training in the result.

    Args:
        filename (str): ``shn://`` and a name of :data:`PUBLISHED`, a file or
            a URL. ``?out_channels=14`` at its end is for fine-tuning to 14
            keypoints: if the file has another number, the layers of the
            prediction are left out, named in the log, and start anew.
        map_location: Where the tensors go, as for ``torch.load``.

    Returns:
        dict: ``state_dict`` and ``meta`` (see :func:`to_mmpose`).

    Raises:
        FileNotFoundError: If there is no such name or file.
        ConnectionError: If the download fails.
        ValueError: If the file is not what it should be.
    """
    source = filename[len('shn://'):]
    option = _OPTION.search(source)
    if option:
        source = source[:option.start()]
    path = locate(source)
    checkpoint = to_mmpose(
        read_checkpoint(path), source, int(option[1]) if option else None)
    if map_location is not None:
        checkpoint['state_dict'] = {
            key: tensor.to(map_location)
            for key, tensor in checkpoint['state_dict'].items()
        }
    return checkpoint


def convert_file(source: str,
                 out: str,
                 config: Optional[str] = None,
                 to: Optional[str] = None,
                 trust: bool = False) -> dict:
    """Convert a checkpoint to a file. No file is written if that fails.

    Args:
        source (str): What is converted: a name of :data:`PUBLISHED`, a URL or
            a file.
        out (str): The file that is written: a checkpoint of MMPose or, with
            ``to``, a bare state dict.
        config (str, optional): Where to write the matching config. Defaults
            to None: nowhere.
        to (str, optional): ``'bearpaw'`` or ``'princeton'``: convert to the
            keys of that code base. Defaults to None: to MMPose's.
        trust (bool): See :func:`read_checkpoint`.

    Returns:
        dict: The checkpoint of MMPose.

    Raises:
        OSError: If a file cannot be written.
        ValueError: If the source cannot be converted, or ``out`` and
            ``config`` are the same file.
    """
    if config and osp.realpath(out) == osp.realpath(config):
        raise ValueError(f'{out} cannot be both checkpoint and config.')
    paths = [out, config] if config else [out]
    for path in paths:
        if osp.isdir(path):
            raise IsADirectoryError(f'{path} is a folder, not a file.')
    checkpoint = to_mmpose(read_checkpoint(locate(source), trust), source)
    written = checkpoint if to is None else from_mmpose(checkpoint, to, source)
    text = matching_config(checkpoint)

    parts = [f'{path}.part' for path in paths]
    try:
        for path in paths:
            os.makedirs(osp.dirname(osp.abspath(path)), exist_ok=True)
        # opened here because torch.save would raise a RuntimeError
        with open(parts[0], 'wb') as file:
            torch.save(written, file)
        if config:
            with open(parts[1], 'w') as file:
                file.write(text)
        for part, path in zip(parts, paths):
            os.replace(part, path)
    finally:
        for part in parts:
            if osp.isfile(part):
                os.remove(part)
    return checkpoint
