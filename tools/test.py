"""Test a checkpoint: MMPose's tools/test.py with its options, once the config
and its data have been checked."""
import mmpose_shn  # noqa: F401  makes MMPose importable
from mmpose_shn.upstream import run_script

if __name__ == '__main__':
    run_script('test.py', splits=('test', ))
