"""A simulated Azure Resource Manager: `start_arm(options, authority)` gives a running one."""

from sandbox.arm.options import ArmOptions, Bucket, EventOptions, EventSink, Throttle
from sandbox.arm.server import RunningArm, start_arm

__all__ = ["ArmOptions", "Bucket", "EventOptions", "EventSink", "RunningArm", "Throttle", "start_arm"]
