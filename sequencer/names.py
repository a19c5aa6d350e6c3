"""Names of the architectures and heads, for the command line, which must not load torch.

A test checks that they are those of `sequencer.registry`.
"""

ARCHITECTURES = ("lstm", "lstm-seq2seq", "transformer-encoder", "transformer")
HEADS = ("point", "mixture", "tokens", "contrast")

COARSE = "coarse"  # folder in that of a model: the training of its coarse level
