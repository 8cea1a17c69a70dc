"""The Stacked Hourglass Network for MMPose 1.x.

Importing this package makes MMPose importable (see :mod:`mmpose_shn.lean`)
and registers its modules with MMPose's registries.
"""
from .lean import check_requirements, import_mmpose
from .version import __version__

check_requirements()
import_mmpose()

from . import backbones, codecs, heads, weights  # noqa: E402, F401
from .datasets import transforms  # noqa: E402, F401
from .scope import register_scope  # noqa: E402

register_scope()

__all__ = ['__version__']
