from pathlib import Path

from setuptools import find_packages, setup

ROOT = Path(__file__).parent


def version() -> str:
    namespace = {}
    exec((ROOT / 'mmpose_shn/version.py').read_text(), namespace)
    return namespace['__version__']


def requirements(name: str) -> list:
    lines = (ROOT / 'requirements' / name).read_text().splitlines()
    return [line for line in lines if line and not line.startswith('#')]


def mim_files() -> list:
    """Configs, tools and model index, which ``mmpose_shn/.mim`` links to:
    MMPose's convention for what a wheel carries beside its modules."""
    package = ROOT / 'mmpose_shn'
    files = [package / '.mim' / 'model-index.yml']
    for folder in ('configs', 'tools'):
        files += (package / '.mim' / folder).rglob('*')
    return [
        str(path.relative_to(package)) for path in files
        if path.is_file() and path.suffix != '.pyc'
    ]


setup(
    name='mmpose_shn',
    version=version(),
    description='The Stacked Hourglass Network for MMPose 1.x',
    long_description=(ROOT / 'README.md').read_text(encoding='utf-8'),
    long_description_content_type='text/markdown',
    license='Apache-2.0',
    python_requires='>=3.10',
    packages=find_packages(include=['mmpose_shn', 'mmpose_shn.*']),
    package_data={'mmpose_shn': mim_files()},
    # Without mmpose, mmcv-lite and onedl-mmengine: see
    # requirements/openmmlab.txt. `import mmpose_shn` says how to install them.
    install_requires=requirements('runtime.txt'),
    # the reader of Torch7 files, for the authors' own weights
    extras_require=dict(umich=['torchfile']),
)
