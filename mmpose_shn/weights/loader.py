"""The scheme ``shn://``: hand a published file to MMEngine as a checkpoint of
MMPose."""
import re

from mmengine.runner import CheckpointLoader

from .convert import to_mmpose
from .files import locate, read_checkpoint

_OPTION = re.compile(r'[?&]out_channels=(\d+)$')


@CheckpointLoader.register_scheme(prefixes='shn://')
def load_from_shn(filename: str, map_location=None) -> dict:
    """Load a published checkpoint, or any of ours, for MMPose.

    With this loader registered, ``shn://...`` stands wherever MMEngine and
    MMPose take a checkpoint: ``load_from=``, ``tools/test.py CONFIG
    CHECKPOINT``, ``MMPoseInferencer(pose2d_weights=)`` and
    ``init_cfg=dict(type='Pretrained', checkpoint=)``.

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
