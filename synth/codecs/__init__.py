"""Codecs that were trained elsewhere, each behind `synth.codec.Codec`."""
