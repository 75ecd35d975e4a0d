"""One role per service, which owns the schema of the same name and has access to nothing else."""

import json
import re
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import asyncpg

from devstack.errors import StackError
from devstack.servers.postgres import PostgresServer
from devstack.servers.secret_store import generate_secret, write_private

DATABASE = "gruppetto"
_NAME = re.compile(r"[a-z][a-z0-9_]{0,62}")


@dataclass(frozen=True)
class Role:
    """A database user who owns one schema."""

    name: str
    password: str
    schema: str


async def create_roles(server: PostgresServer, names: Iterable[str]) -> dict[str, str]:
    """Create the missing roles and schemas of the named services; returns {name: database url}.

    The passwords are stored in the server's folder, so they are the same at every start.
    """
    passwords = _load_passwords(server.folder / "roles.json", list(names))
    roles = [Role(name, passwords[name], name) for name in names]
    await create_schemas(server.superuser_url(), DATABASE, roles)
    async with open_connection(server.superuser_url()) as connection:
        await connection.execute("revoke all on database postgres, template1 from public")
    return {role.schema: server.url(role.name, role.password, DATABASE) for role in roles}


async def create_schemas(superuser_url: str, database: str, roles: Iterable[Role]) -> None:
    """Create what is missing of the database, the roles and their schemas.

    Raises StackError for a name that is not made of small letters, digits and underscores.
    """
    for role in roles:
        check_name(role.name)
        check_name(role.schema)
    async with open_connection(superuser_url) as connection:
        if not await connection.fetchval("select 1 from pg_database where datname = $1", check_name(database)):
            await connection.execute(f"create database {database}")
            await connection.execute(f"revoke all on database {database} from public")
    async with open_connection(with_database(superuser_url, database)) as connection, connection.transaction():
        await connection.execute("select pg_advisory_xact_lock(hashtextextended('devstack.roles', 0))")
        await connection.execute("revoke all on schema public from public")
        for role in roles:
            await _ensure_role(connection, database, role)


def check_name(name: str) -> str:
    """Return the name if it needs no quoting in a statement; else StackError."""
    if not _NAME.fullmatch(name):
        raise StackError(f"{name!r} cannot be the name of a role, schema or database")
    return name


def with_database(url: str, database: str) -> str:
    """The url with another database; a driver name such as +asyncpg is removed."""
    scheme, _, rest = url.partition("://")
    authority = rest.partition("/")[0]
    return f"{scheme.partition('+')[0]}://{authority}/{database}"


@asynccontextmanager
async def open_connection(url: str) -> AsyncIterator[asyncpg.Connection]:
    """A connection for administration; raises StackError when it cannot be opened."""
    scheme, _, rest = url.partition("://")
    try:
        connection = await asyncpg.connect(f"{scheme.partition('+')[0]}://{rest}", timeout=10)
    except (OSError, TimeoutError, asyncpg.PostgresError) as error:
        raise StackError(f"cannot connect to Postgres: {type(error).__name__}: {error}") from None
    try:
        yield connection
    finally:
        await connection.close()


async def _ensure_role(connection: asyncpg.Connection, database: str, role: Role) -> None:
    known = await connection.fetchval("select 1 from pg_roles where rolname = $1", role.name)
    if not known:
        await connection.execute(f"create role {role.name} login")
    await connection.execute(f"create schema if not exists {role.schema} authorization {role.name}")
    await connection.execute(f"alter role {role.name} in database {database} set search_path = {role.schema}")
    await connection.execute(f"grant connect, temporary on database {database} to {role.name}")
    await connection.execute(f"alter role {role.name} password '{role.password}'")


def _parse_passwords(text: str) -> dict[str, str]:
    passwords = json.loads(text)
    if not isinstance(passwords, dict) or not all(isinstance(value, str) for value in passwords.values()):
        raise ValueError("it does not contain a password for each name")
    return passwords


def _load_passwords(path: Path, names: list[str]) -> dict[str, str]:
    """The passwords in the file, extended by new ones for new names, which are saved before they are used."""
    try:
        kept = _parse_passwords(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        kept = {}
    except (OSError, ValueError) as error:
        raise StackError(f"cannot read {path}: {error}; remove it to have new passwords made") from None
    passwords = kept | {name: generate_secret() for name in names if name not in kept}
    if passwords != kept:
        try:
            write_private(path, json.dumps(passwords, indent=1))
        except OSError as error:
            raise StackError(f"cannot write {path}: {error.strerror}") from None
    return passwords
