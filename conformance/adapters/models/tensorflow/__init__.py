"""TensorFlow's model files."""

from conformance.adapters.models.tensorflow.files import open_model as open_model
