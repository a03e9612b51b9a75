"""Exchange: models come in from, and go out to, the layouts that other people's tools know.

Knows plain directories, Hugging Face caches, OCI image layouts (ModelPack, KitOps) and BagIt,
and verifies whatever digests they state. Does not know archives, and loads no weights.
Writes those layouts, and the record of an origin. The formats: `docs/formats/exchange-1.md`.

>>> _ = (tmp_path / "model.gguf").write_bytes(b"not for nothing")
>>> origin = export_bag(tmp_path / "model.gguf", tmp_path / "bag", info={"Contact-Name": "steward"})
>>> recognise(tmp_path / "bag")
'bagit'
>>> with unpacked(tmp_path / "bag", tmp_path / "scratch") as found:
...     (found.files / "model.gguf").read_bytes(), found.origin == origin
(b'not for nothing', True)
"""

from otium.exchange.bagit import export_bag
from otium.exchange.huggingface import export_huggingface
from otium.exchange.modelpack import export_oci
from otium.exchange.recognise import recognise, unpacked
from otium.exchange.records import Layout, Origin, OriginFile, Unpacked

__all__ = [
    "Layout",
    "Origin",
    "OriginFile",
    "Unpacked",
    "export_bag",
    "export_huggingface",
    "export_oci",
    "recognise",
    "unpacked",
]
