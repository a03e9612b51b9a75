"""The office: what the model's words do in it. (Door to be completed by its owner.)"""

from otium.office.records import (
    SURFACES,
    File,
    Item,
    Job,
    Person,
    Purpose,
    Surface,
    World,
)

__all__ = ["SURFACES", "File", "Item", "Job", "Person", "Purpose", "Surface", "World"]
