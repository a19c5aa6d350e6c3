"""Descriptors by name. A new one needs a file, a line here, and its columns in `db.columns`."""

from db.descriptors import chroma, loudness, mfcc, spectral
from db.descriptors.descriptor import Descriptor

DESCRIPTORS: dict[str, Descriptor] = {
    "mfcc": mfcc.DESCRIPTOR,
    "spectral": spectral.DESCRIPTOR,
    "chroma": chroma.DESCRIPTOR,
    "loudness": loudness.DESCRIPTOR,
}
