"""MMPose imports on a lean install only once this package is there."""
import mmpose_shn  # noqa: F401
