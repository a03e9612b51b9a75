"""By hand: a person holds an interview, and a person judges its answers.

Knows a conversation turn by turn, the terminal and the local page in which it is held, and the
desk at which answers are coded blind to other judges. Does not know how a model is reached, or
what becomes of an interview once it is filed. Writes what waits to be filed: ``talks/`` and
``coding/`` in the home.

>>> from otium.protocols import load_protocol
>>> checked_role("welfare-researcher")
'welfare-researcher'
>>> is_role("Ada Lovelace"), is_role("ada@example.org")
(False, False)
"""

from otium.byhand.desk import Desk, Stale
from otium.byhand.guard import Guard, Keys, same_form
from otium.byhand.judging import Judging
from otium.byhand.keeping import (
    Filed,
    Started,
    file_coding,
    file_talk,
    held_talk,
    judged_by_hand,
    judgements_file,
    sample,
    waiting_talks,
)
from otium.byhand.serving import listening, serve_desk, server_of
from otium.byhand.talking import LONGEST, OWN, Said, State, Talk, checked, checked_role, is_role
from otium.byhand.terminal import Terminal

__all__ = [
    "LONGEST",
    "OWN",
    "Desk",
    "Filed",
    "Guard",
    "Judging",
    "Keys",
    "Said",
    "Stale",
    "Started",
    "State",
    "Talk",
    "Terminal",
    "checked",
    "checked_role",
    "file_coding",
    "file_talk",
    "held_talk",
    "is_role",
    "judged_by_hand",
    "judgements_file",
    "listening",
    "same_form",
    "sample",
    "serve_desk",
    "server_of",
    "waiting_talks",
]
