"""Who may see and do what: clearance levels, actions, and the one object that carries them.

A clearance is a reading level. What a caller may read is decided by the database role of the
level (``layers.views`` makes one schema of views per level); what a caller may write is decided by
actions. Both travel together in an ``Access``.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum, StrEnum
from hashlib import blake2b

from layers.errors import NotAuthenticated, NotPermitted


class Clearance(IntEnum):
    """Reading levels, ordered; stored as smallint in every row."""

    PUBLIC = 0
    ENTERPRISE = 1
    GOVERNMENT = 2
    RESTRICTED = 3

    @property
    def label(self) -> str:
        """The word used in commands, addresses and answers, such as ``public``."""
        return self.name.lower()

    @classmethod
    def from_label(cls, label: str) -> Clearance:
        """The clearance of a word such as ``government``.

        Raises:
            ValueError: the word is none of the four.
        """
        try:
            return cls[label.upper()]
        except KeyError:
            known = ", ".join(level.label for level in cls)
            message = f"{label!r} is not a clearance; known: {known}"
            raise ValueError(message) from None


class Action(StrEnum):
    """What a credential may do besides reading."""

    OBSERVE = "observe"
    LOAD = "load"
    EDIT = "edit"
    MODERATE = "moderate"
    ADMINISTER = "administer"


@dataclass(frozen=True)
class Grant:
    """One action, limited to one source or layer; ``scope`` ``*`` means all."""

    action: Action
    scope: str = "*"

    @classmethod
    def parse(cls, text: str) -> Grant:
        """Read ``observe`` or ``observe:SOURCE``.

        Raises:
            ValueError: the action is not one of ``Action``.
        """
        action, _, scope = text.partition(":")
        return cls(Action(action), scope or "*")

    def __str__(self) -> str:
        return f"{self.action}:{self.scope}"


@dataclass(frozen=True)
class Access:
    """What one caller may read and do. Every statement, cache key and stream takes one."""

    level: Clearance = Clearance.PUBLIC
    grants: frozenset[Grant] = frozenset()
    credential: str | None = None

    @property
    def fingerprint(self) -> str:
        """Stable text, equal for two callers only if they see the same data."""
        return blake2b(f"level={self.level:d}".encode(), digest_size=8).hexdigest()

    def require_credential(self, action: Action) -> None:
        """Stop whoever gave no credential before anything is done for the action.

        Raises:
            NotAuthenticated: no credential was given.
        """
        if self.credential is None:
            message = f"{action} needs a key"
            raise NotAuthenticated(message)

    def require(self, action: Action, scope: str) -> None:
        """Let an action through, or say why not.

        Raises:
            NotAuthenticated: no credential was given.
            NotPermitted: the credential does not allow the action on this scope.
        """
        self.require_credential(action)
        if not any(g.action == action and g.scope in ("*", scope) for g in self.grants):
            message = f"this key does not allow {action}:{scope}"
            raise NotPermitted(message)


PUBLIC_ACCESS = Access()
