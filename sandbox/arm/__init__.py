"""A simulated Azure Resource Manager: `start_arm(options, authority)` gives a running one.

Event Grid's deliveries go to `ArmOptions.on_event` or `RunningArm.subscribe`: an async callable that
takes one event, such as a `WebhookSink`.
"""

from sandbox.arm.control_planes import ControlPlane, Shape
from sandbox.arm.options import ArmOptions, Bucket, EventOptions, EventSink, Throttle
from sandbox.arm.server import RunningArm, start_arm
from sandbox.arm.sinks import WebhookSink

__all__ = [
    "ArmOptions",
    "Bucket",
    "ControlPlane",
    "EventOptions",
    "EventSink",
    "RunningArm",
    "Shape",
    "Throttle",
    "WebhookSink",
    "start_arm",
]
