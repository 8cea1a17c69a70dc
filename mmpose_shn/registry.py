"""The registries of the scope ``mmpose_shn``, each a child of MMPose's.

MMEngine looks modules up here when a config was found as
``mmpose_shn::NAME.py``; all of ours are registered with MMPose's own.
"""
from mmengine.registry import Registry
from mmpose import registry

for name, parent in list(vars(registry).items()):
    if isinstance(parent, Registry) and not name.startswith('MMENGINE_'):
        globals()[name] = Registry(
            parent.name,
            parent=parent,
            scope='mmpose_shn',
            locations=['mmpose_shn'])
