"""Descriptors by name. Adding one is one file and one line here."""

from db.descriptors import chroma, loudness, mfcc, spectral
from db.descriptors.descriptor import Descriptor

DESCRIPTORS: dict[str, Descriptor] = {
    "mfcc": mfcc.DESCRIPTOR,
    "spectral": spectral.DESCRIPTOR,
    "chroma": chroma.DESCRIPTOR,
    "loudness": loudness.DESCRIPTOR,
}
