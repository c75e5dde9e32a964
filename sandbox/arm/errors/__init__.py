"""Every refusal the simulated ARM gives, a row each, with where its code and text are known from."""

from sandbox.arm.errors.situation import FIDELITY_HEADER, ArmError, Situation

__all__ = ["FIDELITY_HEADER", "ArmError", "Situation"]
