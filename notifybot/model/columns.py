"""Column and index helpers for the tables."""

from enum import StrEnum

from sqlalchemy import Enum as EnumType
from sqlalchemy import Index, text


def _values(kind: type[StrEnum]) -> list[str]:
    return [member.value for member in kind]


def enum_column(kind: type[StrEnum]) -> EnumType:
    return EnumType(kind, native_enum=False, values_callable=_values, length=16, create_constraint=False)


def partial_index(name: str, condition: str, *columns: str, is_unique: bool = False) -> Index:
    """Build an index over the rows that meet `condition`, for SQLite and PostgreSQL."""
    only = text(condition)
    return Index(name, *columns, unique=is_unique, sqlite_where=only, postgresql_where=only)
