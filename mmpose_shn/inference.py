"""What the command lines add to MMPose's inferencer: inputs that are checked,
and a picture of what every stack predicts."""
import mimetypes
import os.path as osp
from typing import List, Sequence, Tuple, Union

import cv2
import numpy as np
from mmengine.utils import scandir


def find_inputs(path: str) -> Tuple[List[str], List[str]]:
    """The pictures that a path names.

    MMPose's inferencer fails without naming the file on a picture that cannot
    be decoded, and on a folder with a file of unknown kind.

    Args:
        path (str): A picture, a video, or a folder of pictures.

    Returns:
        tuple[list[str], list[str]]: The files to run on, sorted, and the
        pictures of a folder that cannot be read.

    Raises:
        FileNotFoundError: If there is no such file or folder.
        ValueError: If the file is neither a picture nor a video that can be
            read, or the folder holds no picture that can.
    """
    if osp.isdir(path):
        readable, unreadable = [], []
        for name in sorted(scandir(path)):
            if _kind(name) == 'image':
                picture = osp.join(path, name)
                (unreadable if cv2.imread(picture) is None else
                 readable).append(picture)
        if not readable:
            raise ValueError(
                f'{path} holds no picture that can be read'
                f'{": " if unreadable else ""}{", ".join(unreadable)}.')
        return readable, unreadable
    if not osp.isfile(path):
        raise FileNotFoundError(f'There is no file or folder {path}.')
    if _kind(path) == 'video':
        if not cv2.VideoCapture(path).isOpened():
            raise ValueError(f'{path} is not a video that can be read.')
    elif _kind(path) != 'image' or cv2.imread(path) is None:
        raise ValueError(f'{path} is not a picture that can be read.')
    return [path], []


def _kind(name: str) -> str:
    return (mimetypes.guess_type(name)[0] or '').split('/')[0]


def stage_sheet(inferencer, picture: Union[str, np.ndarray],
                **draw) -> np.ndarray:
    """Draw what every stage of a network predicts.

    Args:
        inferencer (:obj:`MMPoseInferencer`): An inferencer of a model with a
            :class:`MultiStageHeatmapHead`.
        picture (str | np.ndarray): File of the picture, or the picture
            itself, BGR (H, W, 3).
        **draw: Options of the inferencer's drawing (``kpt_thr``, ``radius``,
            ``thickness``).

    Returns:
        np.ndarray: RGB picture (H, W, 3), uint8: a column for every stage,
        the decoded skeleton above the heatmaps.
    """
    model = inferencer.inferencer.model
    before = model.test_cfg.get('stage', -1)
    columns = []
    try:
        for stage in range(model.head.num_stages):
            model.test_cfg['stage'] = stage
            result = next(
                inferencer(
                    picture, return_vis=True, draw_heatmap=True, **draw))
            columns.append(
                _titled(result['visualization'][0], f'stack {stage + 1}'))
    finally:
        model.test_cfg['stage'] = before
    return side_by_side(columns)


def side_by_side(pictures: Sequence[np.ndarray], gap: int = 8) -> np.ndarray:
    """Pictures (H_i, W_i, 3) in a row on white."""
    height = max(p.shape[0] for p in pictures)
    padded = [
        np.pad(p, ((0, height - p.shape[0]), (0, gap), (0, 0)),
               constant_values=255) for p in pictures
    ]
    return np.concatenate(padded, axis=1)[:, :-gap]


def _titled(picture: np.ndarray, title: str, height: int = 28) -> np.ndarray:
    bar = np.full((height, picture.shape[1], 3), 255, np.uint8)
    cv2.putText(bar, title, (6, height - 8), cv2.FONT_HERSHEY_SIMPLEX, 0.6,
                (40, 40, 40), 1, cv2.LINE_AA)
    return np.concatenate([bar, picture])
