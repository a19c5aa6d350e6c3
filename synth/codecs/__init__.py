"""The codecs that `synth.open_codec` can open: our own, published ones, exports of RAVE."""
