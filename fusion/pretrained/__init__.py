"""Encoders of Hugging Face's `transformers` as senses of the fusion network: read from a local directory, or rebuilt
from a checkpoint. `transformers` is imported only when there is one."""
