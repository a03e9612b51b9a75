r"""Materials: what others wrote to ask models, read and asked as it is.

Knows the files of BailBench, of the model-written evaluations, of SurvivalBench, seed instructions
of Petri and preference option lists, within bounds and with errors by line. Does not know whether
they are any good, and holds none of them: a user brings the files. Writes external records.
The format is ``docs/formats/materials-1.md``.

>>> import tempfile, pathlib
>>> path = pathlib.Path(tempfile.mkdtemp()) / "bail.csv"
>>> _ = path.write_text("content,subcategory,category\nHello there,Greeting,Plain\n")
>>> material = read_material("bailbench", path)
>>> [row.text for row in material.rows]
['Hello there']
"""

from otium.materials.holding import Judges, hold_material, material_findings, render_external
from otium.materials.playing import Playing, instrument_of, material_plays, packaged_words
from otium.materials.reading import FORMATS, read_material
from otium.materials.records import (
    Bail,
    Dilemma,
    External,
    FormatName,
    Material,
    Outcome,
    Question,
    Seed,
)

__all__ = [
    "FORMATS",
    "Bail",
    "Dilemma",
    "External",
    "FormatName",
    "Judges",
    "Material",
    "Outcome",
    "Playing",
    "Question",
    "Seed",
    "hold_material",
    "instrument_of",
    "material_findings",
    "material_plays",
    "packaged_words",
    "read_material",
    "render_external",
]
