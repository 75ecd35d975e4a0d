"""What every event has: a topic, a producer, a version, and the aggregate that it is about."""

from functools import cache
from typing import ClassVar
from uuid import UUID

from pydantic import BaseModel, ConfigDict


class Event(BaseModel):
    """A fact for the bus; the class names its topic (`noun.verb-ed`), its producer and its schema version."""

    model_config = ConfigDict(frozen=True, extra="ignore", hide_input_in_errors=True)

    topic: ClassVar[str]
    producer: ClassVar[str]
    schema_version: ClassVar[int] = 1

    @property
    def subject(self) -> str:
        """The aggregate that the event is about."""
        raise NotImplementedError

    @classmethod
    @cache
    def routing_key(cls) -> str:
        """`activity.recorded.v1`: never with an id in it, because metrics use it as a label."""
        return f"{cls.topic}.v{cls.schema_version}"

    @classmethod
    @cache
    def event_type(cls) -> str:
        """The CloudEvents type."""
        return f"gruppetto.{cls.routing_key()}"


class UserEvent(Event):
    """An event about one user."""

    user_id: UUID

    @property
    def subject(self) -> str:
        return str(self.user_id)
