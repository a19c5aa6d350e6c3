"""Names of the architectures and heads, for the command line, which must not load torch.

A test checks that they are those of `sequencer.registry`.
"""

ARCHITECTURES = ("lstm", "lstm-seq2seq", "transformer-encoder", "transformer")
HEADS = ("point", "mixture", "tokens", "contrast")
DEFAULT_HEAD = "contrast"
PATTERNS = ("parallel", "delayed", "flattened", "coarse-first")  # of the tokens head
MASKED = "masked"  # trained like an architecture, but it fills gaps and does not forecast

# How the prompts of `sequencer.prompts` are written, for the command line.
PROMPT_FORMS = {
    "steps": "steps:A,B-C",
    "seconds": "seconds:A-B",
    "locked": "locked",
    "periodic": "periodic:P/W",
    "onsets": "onsets:W",
    "prefix": "prefix:S",
    "suffix": "suffix:S",
    "random": "random:X",
    "codebooks": "codebooks:N",
}

COARSE = "coarse"  # folder in that of a model: the training of its coarse level
