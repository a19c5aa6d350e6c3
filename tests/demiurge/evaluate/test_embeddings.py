"""The cosine of mean embeddings."""

import numpy as np
import pytest

from demiurge.evaluate.embeddings import embedding_similarity
from files.errors import ParameterError


def test_similarity_is_the_cosine_of_the_means():
    windows = np.array([[2.0, 0.0], [0.0, 2.0]])
    assert embedding_similarity(windows, np.array([[3.0, 3.0]])) == pytest.approx(1)
    assert embedding_similarity(windows, np.array([[1.0, 0.0]])) == pytest.approx(np.sqrt(0.5))
    assert embedding_similarity(windows, np.zeros((3, 2))) == 0


def test_similarity_refuses_other_dimensions():
    with pytest.raises(ParameterError, match=r"shapes \(2, 2\) and \(1, 3\)"):
        embedding_similarity(np.ones((2, 2)), np.ones((1, 3)))
