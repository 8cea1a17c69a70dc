import importlib
import importlib.util
import subprocess
import sys

import pytest
from mmengine.utils.dl_utils import collect_env

from mmpose_shn import lean

ABSENT = [
    name for name in ('mmdet', 'torchvision')
    if importlib.util.find_spec(name) is None
]


@pytest.mark.parametrize('name', lean._OPTIONAL)
def test_no_placeholder_is_left(name):
    module = sys.modules.get(name)
    assert module is None or module.__spec__ is not None


@pytest.mark.parametrize('name', ABSENT)
def test_absent_packages_are_absent(name):
    with pytest.raises(ModuleNotFoundError, match=name):
        importlib.import_module(name)


def test_environment_report():
    report = collect_env()
    assert ('TorchVision' in report) == ('torchvision' not in ABSENT)


def test_mmpose_knows_whether_there_is_a_detector():
    from mmpose.apis.inferencers import base_mmpose_inferencer
    assert base_mmpose_inferencer.has_mmdet == ('mmdet' not in ABSENT)


def test_code_that_needs_a_missing_package_names_it():
    with lean._placeholders(['mmcv.ops']):
        from mmcv.ops import MultiScaleDeformableAttention
        with pytest.raises(ImportError):  # as without us: only what is needed
            from mmcv.ops import DeformConv2d  # noqa: F401
    with pytest.raises(ImportError, match='pip install mmcv==2.1.0'):
        MultiScaleDeformableAttention(embed_dims=256)
    assert not isinstance(3, MultiScaleDeformableAttention)


def test_placeholders_give_back_what_was_there(monkeypatch):
    real = object()
    monkeypatch.setitem(sys.modules, 'mmdet.utils', real)
    with pytest.raises(RuntimeError):
        with lean._placeholders(['mmdet.utils', 'torchvision.transforms']):
            assert sys.modules['mmdet.utils'] is not real
            raise RuntimeError
    assert sys.modules['mmdet.utils'] is real
    if 'torchvision' in ABSENT:
        assert 'torchvision.transforms' not in sys.modules


def test_real_packages_are_left_alone(tmp_path):
    """With all three there, nothing stands in for any of them."""
    for path, code in {
            'torchvision/__init__.py': '',
            'torchvision/transforms.py': 'class ToPILImage: pass',
            'mmdet/__init__.py': '',
            'mmdet/utils.py': 'ConfigType = dict\ndef reduce_mean(x): pass',
    }.items():
        file = tmp_path / path
        file.parent.mkdir(exist_ok=True)
        file.write_text(code)
    code = ('import sys; from mmpose_shn import lean; '
            'missing = lean.import_mmpose(); '
            'from mmpose.visualization import simcc_vis; '
            'assert simcc_vis.ToPILImage.__module__ == '
            '"torchvision.transforms"; '
            'assert sys.modules["mmdet.utils"].__file__; '
            'print(missing)')
    answer = subprocess.run([sys.executable, '-c', code],
                            env=environment(tmp_path),
                            capture_output=True, text=True)
    assert answer.returncode == 0, answer.stderr
    missing = answer.stdout.splitlines()[-1]
    assert 'torchvision' not in missing and 'mmdet' not in missing


def environment(path):
    import os
    paths = [str(path), *filter(None, [os.environ.get('PYTHONPATH')])]
    return {**os.environ, 'PYTHONPATH': os.pathsep.join(paths)}


@pytest.mark.parametrize('required, message', [
    (dict(mmpose='99.0'), r'mmpose>=99.0 \(found 1'),
    (dict(no_such_package='1.0'),
     r"no_such_package>=1.0 \(not importable: No module named"),
])
def test_missing_or_too_old(monkeypatch, required, message):
    monkeypatch.setattr(lean, '_REQUIRED', required)
    with pytest.raises(ImportError, match=message) as error:
        lean.check_requirements()
    assert 'pip install --no-deps mmpose==' in str(error.value)


def test_something_else_is_missing(monkeypatch):
    monkeypatch.setattr(lean, '_MMPOSE_PARTS', ('no_such_part', ))
    with pytest.raises(ImportError, match='no_such_part.*runtime.txt'):
        lean.import_mmpose()


def test_an_mmengine_that_cannot_load_checkpoints():
    import torch
    from packaging.version import Version
    old_torch = Version(torch.__version__) < Version('2.6')
    assert lean._cannot_load_checkpoints('0.10.7') != old_torch
    assert not lean._cannot_load_checkpoints('0.10.12')


def test_the_install_command_is_the_pinned_one():
    from pathlib import Path
    pins = Path(__file__).parents[1] / 'requirements' / 'openmmlab.txt'
    assert lean.INSTALL_COMMAND.split('--no-deps ')[1].split() == [
        line for line in pins.read_text().splitlines()
        if line and not line.startswith('#')
    ]
