from pathlib import Path

import pytest

from audit.kit import ONE, TWO, Lab


@pytest.fixture
def lab(tmp_path: Path) -> Lab:
    """A lab that keeps two models, of 30 leaves and a bit and of half a leaf, not sealed yet."""
    lab = Lab(tmp_path)
    lab.keep(ONE, 30 * 16384 + 777)
    lab.keep(TWO, 8000)
    return lab


@pytest.fixture
def sealed(lab: Lab) -> Lab:
    lab.seal()
    return lab
