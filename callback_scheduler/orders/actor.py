"""Who does something: the role, the unit and the name behind every act, event and line of the audit log."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum


class ActorRole(Enum):
    """As what somebody acts; the value is the first word of what the journal keeps."""

    TIMETABLE = "timetable"  # the service itself, because a moment has come
    SERVICE = "service"  # the service itself, because a call has ended or a phone was not answered
    CALLER = "caller"  # whoever rings, by a key
    ENTERPRISE = "enterprise"  # an enterprise that rings about its own order
    SPECIALIST = "specialist"  # somebody at a unit, by a key or by dialling in
    SUPERVISOR = "supervisor"  # 督办
    SEAT = "seat"  # 坐席
    UNIT = "unit"  # 承办单位: always with the unit's id
    ADMIN = "admin"  # 管理员
    PROGRAM = "api"  # another program, by the name of its token
    CITY = "city"  # the city's platform
    OPERATOR = "operator"  # whoever may use the socket of the node
    OTHER = "other"  # what an earlier version wrote, or nobody who is known; `name` is the whole text


@dataclass(frozen=True, slots=True)
class Actor:
    """Somebody who acts. `unit_id` is set for a unit and for what acts in its name, and bounds what they may do."""

    role: ActorRole
    name: str = ""
    unit_id: str = ""

    def __str__(self) -> str:
        """Return what journal and audit log keep: timetable, supervisor:王督办, unit:tax:李四, unit:tax:api:b."""
        if self.role is ActorRole.OTHER:
            return self.name
        if self.role is ActorRole.UNIT:
            return f"{self.role.value}:{self.unit_id}:{self.name}"
        return f"{self.role.value}:{self.name}" if self.name else self.role.value

    def may_act_for(self, unit_id: str) -> bool:
        """Whether what belongs to a unit is theirs to act on: a unit's people act on their own unit's only.

        A text that begins as a unit's does and names none is nobody's leave to act for all.
        """
        if self.role is ActorRole.UNIT:
            return self.unit_id == unit_id
        return not (self.role is ActorRole.OTHER and self.name.partition(":")[0] == ActorRole.UNIT.value)

    @classmethod
    def read(cls, text: str) -> Actor:
        """Return who a text of the journal names; never raises, and `str` of the result is the text again."""
        word, sign, rest = text.partition(":")
        try:
            role = ActorRole(word)
        except ValueError:
            return cls(ActorRole.OTHER, text)
        unit_id, unit_sign, name = rest.partition(":")
        if role is ActorRole.UNIT and unit_sign:
            return cls(role, name, unit_id)
        is_plain = role not in (ActorRole.UNIT, ActorRole.OTHER) and bool(rest) == bool(sign)
        return cls(role, rest) if is_plain else cls(ActorRole.OTHER, text)


TIMETABLE = Actor(ActorRole.TIMETABLE)
SERVICE = Actor(ActorRole.SERVICE)
