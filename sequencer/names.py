"""Names of the architectures and heads, for the command line, which must not load torch.

`sequencer.registry` has what they stand for; a test holds the two equal.
"""

ARCHITECTURES = ("lstm", "lstm-seq2seq", "transformer-encoder", "transformer")
HEADS = ("point", "mixture", "tokens")
