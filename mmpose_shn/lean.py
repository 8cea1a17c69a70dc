"""Make MMPose 1.x importable where mmcv is not compiled and mmdet and
torchvision are absent.

MMPose 1.3.2 imports three things merely to be imported, which no heatmap model
ever calls. While MMPose is imported, :func:`import_mmpose` lets a placeholder
stand in for each of them that is missing; it is gone right after, so that
nothing else takes it for the real package.
"""
import importlib
import sys
import warnings
from contextlib import contextmanager
from types import ModuleType

from packaging.version import Version

INSTALL_COMMAND = ('pip install --no-deps mmpose==1.3.2 mmcv-lite==2.1.0 '
                   'onedl-mmengine==0.10.12')

# The oldest versions this package is written for.
_REQUIRED = dict(mmengine='0.10.0', mmcv='2.0.0', mmpose='1.3.0')

# module: (names MMPose takes from it at import, how to install the real one)
_OPTIONAL = {
    'mmcv.ops': (('MultiScaleDeformableAttention', ),
                 'mmcv with its compiled operators: `pip install mmcv==2.1.0` '
                 'in place of mmcv-lite'),
    'mmdet.utils': (('ConfigType', 'reduce_mean'),
                    'MMDetection: `pip install "mmdet>=3.0.0,<3.3.0"`'),
    'torchvision.transforms': (('ToPILImage', ),
                               'torchvision: `pip install torchvision`'),
}

# What of MMPose is imported while the placeholders stand.
_MMPOSE_PARTS = ('apis', 'codecs', 'datasets', 'engine', 'evaluation',
                 'models', 'visualization')


def check_requirements() -> None:
    """Check that MMPose, MMEngine and MMCV are there and new enough.

    Raises:
        ImportError: If one is missing, cannot be imported or is too old. The
            message names each of them and the command that installs them.
    """
    problems = []
    for name, minimum in _REQUIRED.items():
        try:
            version = importlib.import_module(name).__version__
        except Exception as error:  # MMPose asserts the versions of the others
            problems.append(
                f'{name}>={minimum} (not importable: '
                f'{str(error) or type(error).__name__})')
            continue
        if Version(version) < Version(minimum):
            problems.append(f'{name}>={minimum} (found {version})')
        elif name == 'mmengine' and _cannot_load_checkpoints(version):
            problems.append(
                f'onedl-mmengine>=0.10.8 (found mmengine {version}, which '
                'cannot load checkpoints with torch 2.6 or later)')
    if problems:
        raise ImportError('mmpose_shn needs ' + ', '.join(problems) +
                          f'.\nInstall what it needs with: {INSTALL_COMMAND}')


def _cannot_load_checkpoints(mmengine_version: str) -> bool:
    """mmengine <= 0.10.7 calls ``torch.load`` with the default of
    ``weights_only``, which torch 2.6 changed to one that its own checkpoints
    do not pass."""
    import torch
    return (Version(torch.__version__) >= Version('2.6')
            and Version(mmengine_version) < Version('0.10.8'))


def import_mmpose() -> list:
    """Import MMPose, with placeholders for optional packages that are missing.

    Returns:
        list[str]: The modules that a placeholder stood in for; empty where
        all the real packages are installed.

    Raises:
        ImportError: If something else that MMPose needs is missing.
    """
    missing = [name for name in _OPTIONAL if not _usable(name)]
    with _placeholders(missing), warnings.catch_warnings():
        # mmcv-lite warns of an operator that no heatmap model uses
        warnings.filterwarnings('ignore', 'Fail to import ``MultiScale')
        for part in _MMPOSE_PARTS:
            try:
                importlib.import_module(f'mmpose.{part}')
            except ImportError as error:
                raise ImportError(
                    f'MMPose cannot be imported: {error}. requirements/'
                    'runtime.txt of mmpose_shn lists what it needs and how '
                    'xtcocotools is installed on CPython 3.12.') from error
    return missing


def _usable(name: str) -> bool:
    try:
        module = importlib.import_module(name)
    # Not only ImportError: a torchvision built for another torch raises
    # RuntimeError or OSError.
    except Exception:
        return False
    return all(hasattr(module, attribute) for attribute in _OPTIONAL[name][0])


@contextmanager
def _placeholders(names: list):
    """Let placeholders stand in ``sys.modules`` for the modules ``names``.

    Only the very modules and names that MMPose needs are put there, so that
    its own tests for optional packages (``try: import mmdet.apis``) answer as
    they would without us.
    """
    before = {name: sys.modules.get(name) for name in names}
    for name in names:
        attributes, package = _OPTIONAL[name]
        module = ModuleType(name)
        for attribute in attributes:
            setattr(module, attribute, _placeholder(name, attribute, package))
        sys.modules[name] = module
    try:
        yield
    finally:
        for name, module in before.items():
            if module is None:
                sys.modules.pop(name, None)
            else:
                sys.modules[name] = module


def _placeholder(module: str, attribute: str, package: str) -> type:
    """A class that can be named in annotations and ``isinstance``, and raises
    ImportError when it is called."""

    def refuse(cls, *args, **kwargs):
        raise ImportError(f'`{module}.{attribute}` is not available: this '
                          f'model needs {package}.')

    return type(attribute, (), {'__new__': refuse, '__module__': module})
