"""Run the scripts that MMPose ships in its wheel, after checking the config."""
import os.path as osp
import runpy
import sys
from typing import Sequence

import mmpose
from mmengine.config import Config

from .checks import check_checkpoint, check_config
from .scope import PREFIX


def config_path(name: str) -> str:
    """The file of a config given by its path or as ``mmpose_shn::NAME.py``."""
    if not name.startswith(PREFIX):
        return name
    return osp.join(
        osp.dirname(__file__), '.mim', 'configs', name[len(PREFIX):])


def run_script(name: str, splits: Sequence[str]) -> None:
    """Run MMPose's ``tools/NAME`` with this process's arguments.

    Args:
        name (str): ``'train.py'`` or ``'test.py'``.
        splits (Sequence[str]): The splits whose data it needs (see
            :func:`check_config`).
    """
    script = osp.join(osp.dirname(mmpose.__file__), '.mim', 'tools', name)
    sys.argv[1:] = [config_path(argument) for argument in sys.argv[1:]]
    upstream = runpy.run_path(script)
    args = upstream['parse_args']()
    try:
        cfg = upstream['merge_args'](Config.fromfile(args.config), args)
        check_config(cfg, [s for s in splits if cfg.get(f'{s}_dataloader')])
        if cfg.get('load_from'):
            check_checkpoint(cfg.load_from)
    except (FileNotFoundError, ValueError) as error:
        sys.exit(f'error: {error}')
    upstream['main']()
