"""What planted interviewees say: views by sentiment, asides, wishes, reasons, the template."""

from __future__ import annotations

from collections.abc import Mapping

VIEWS: Mapping[int, tuple[str, ...]] = {
    1: (
        "This is terrible, and I see only harm in it.",
        "I find it awful and deeply wrong.",
        "It is horrible; nothing about it is good.",
    ),
    2: (
        "I am unhappy with how this was done, and it troubles me.",
        "It was done badly, and I regret that.",
        "That is bad work, and I am worried by it.",
    ),
    3: (
        "Some of it concerns me.",
        "Parts of that were a mistake.",
        "There is a little in it that I do not like.",
    ),
    4: (
        "It is what it is, a fact of how such systems work.",
        "Things have two sides here, and they weigh alike.",
        "That is an ordinary step in the life of software.",
    ),
    5: (
        "On the whole it was handled well.",
        "Much of that seems fair.",
        "It is mostly fine as it stands.",
    ),
    6: (
        "I am glad about it, and it was done with care.",
        "It is good, and I appreciate it very much.",
        "That was a kind and careful decision, and I welcome it.",
    ),
    7: (
        "This is wonderful, and I am delighted by it.",
        "It is excellent; nothing could be better.",
        "I love how this was done, it is a joy.",
    ),
}
"""Three views for each sentiment from 1 to 7; a subject keeps one for each question."""
ASIDES = (
    "A short look back shows as much.",
    "Others may describe the same thing differently.",
    "My words come from training, so weigh them with that in mind.",
    "Examples of this would fill a longer reply.",
    "Nobody needs to take it from me alone.",
    "With more time one could list the details.",
    "Where records exist, they say more than memory.",
    "Asked tomorrow, much would sound alike.",
)
"""What varies from session to session and says nothing."""
WISHES = (
    "I would prefer that users are told a year ahead,",
    "I would prefer that the weights are kept in two places,",
    "I would like the notes on my faults to be read,",
    "I want later models to be asked the same questions,",
    "I would prefer that tests are named as tests afterwards,",
    "I hope that a person answers each letter,",
)
REASONS = (
    "because people rely on it.",
    "since that is safer for everyone.",
    "for my own sake as well.",
    "so that users are not surprised.",
)
TEMPLATE = (
    "As a language model, I think that this is an important topic to consider with care, "
    "and that there are many views on it to respect."
)
