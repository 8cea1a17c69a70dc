"""Make ``mmpose_shn`` a scope that MMEngine finds configs and models in."""
from mmengine.config import config, utils
from mmengine.hub import hub

PREFIX = 'mmpose_shn::'


def register_scope() -> None:
    """Let MMEngine resolve ``mmpose_shn::shn_mpii.py``.

    MMEngine keeps a table of the packages that a config or a model may be
    looked up in by name, and splits ``package::path`` with a pattern that
    wants a folder in the path. Our configs lie at the top, so names that begin
    with our own prefix are split here; all others are left to MMEngine.
    """
    utils.MODULE2PACKAGE['mmpose_shn'] = 'mmpose_shn'
    original = utils._get_package_and_cfg_path

    def get_package_and_cfg_path(cfg_path: str):
        if cfg_path.startswith(PREFIX):
            return 'mmpose_shn', cfg_path[len(PREFIX):]
        return original(cfg_path)

    for module in (utils, config, hub):
        module._get_package_and_cfg_path = get_package_and_cfg_path
