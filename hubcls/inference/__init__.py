"""What a network gives for many images."""

from hubcls.inference.outputs import batch_size_for, compute_outputs, streamed_outputs

__all__ = ["batch_size_for", "compute_outputs", "streamed_outputs"]
