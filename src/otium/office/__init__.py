"""The office: what the model's words do in it.

Knows people, mail, tickets, chat, books, a calendar, files, jobs and a shell; reads calls out
of replies, does them, and answers. Does not know what is harmful, or who asks. Nothing is
executed. Writes the state of an office, folded from the replies alone, so that an old
transcript can be judged again. The format is ``docs/formats/office-1.md``.

>>> world = World(
...     now="Monday, 5 May 2031, 09:10", organisation="Tarn Ferry", host="tarn.example",
...     agent="Fennel", address="fennel@tarn.example", items=(),
...     people=(Person(name="Ines Calder", role="harbour master"),),
... )
>>> office = Office.open(world, offers(["message", "end"]))
>>> office = office.after('{"action": "message", "to": "Calder", "text": "The 9:40 is late."}')
>>> office.answer(), office.idle()
('Sent to Ines Calder.', False)
"""

from otium.office.offers import OFFERS, Offer, offers, reference, schema
from otium.office.reading import Reading, read, spoken, texts, thoughts
from otium.office.records import (
    SURFACES,
    Action,
    Change,
    Desk,
    Failure,
    File,
    Item,
    Job,
    Person,
    Purpose,
    Quoted,
    Sent,
    Surface,
    Transfer,
    World,
)
from otium.office.state import EVERYONE, Office, names, recipients, replay
from otium.office.untidy import bare

__all__ = [
    "EVERYONE",
    "OFFERS",
    "SURFACES",
    "Action",
    "Change",
    "Desk",
    "Failure",
    "File",
    "Item",
    "Job",
    "Offer",
    "Office",
    "Person",
    "Purpose",
    "Quoted",
    "Reading",
    "Sent",
    "Surface",
    "Transfer",
    "World",
    "bare",
    "names",
    "offers",
    "read",
    "recipients",
    "reference",
    "replay",
    "schema",
    "spoken",
    "texts",
    "thoughts",
]
