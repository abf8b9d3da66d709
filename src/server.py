"""``python -m src.server``: MLflow's server for a team, on this machine (SERVER.md); `make server` starts it.

Exit status: that of the server, 2 it cannot be started (the reason is told in one sentence).
"""

import argparse
import errno
import fcntl
import ipaddress
import os
import secrets
import shlex
import socket
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path

from src.arguments import Arguments, entry, port
from src.errors import UserError
from src.escaping import masked
from src.folders import writing
from src.language import say
from src.words import runnable

PASSWORD = "MLFLOW_AUTH_ADMIN_PASSWORD"
STORE = "SERVER_STORE"  # of `make server`: everybody on this machine sees a command, and an address may hold a password
SECRET = "MLFLOW_FLASK_SERVER_SECRET_KEY"
# Whoever has an account sees all and changes what is theirs. A password is checked once a minute: each check takes
# 0.2 to 0.5 s, and a run is some thirty requests.
ACCOUNTS = """\
[mlflow]
default_permission = READ
database_uri = {database}
admin_username = admin
authorization_function = mlflow.server.auth:authenticate_request_basic_auth
auth_cache_ttl_seconds = 60
"""


@entry
def main(arguments: Sequence[str] | None = None) -> int:
    """The program, which becomes the server. Returns the exit status where that cannot be."""
    given = _parser().parse_args(arguments)
    with _held(given):
        program, environment = server_command(given)
        sys.stdout.flush()
        os.execve(program[0], program, {**os.environ, **environment})


def _parser() -> Arguments:
    parser = Arguments("src.server", say("Start MLflow's server for a team, on this machine."))
    add = parser.add_argument
    add("--host", default="127.0.0.1", help=say("the address it listens on (default: this machine only)"))
    add("--port", type=port, default=5000, help=say("the port it listens on (default: 5000)"))
    stores = "postgresql://USER:PASSWORD@HOST/NAME, sqlite:///FILE"
    add("--store", help=say("its database: {stores}; if absent, {variable}", stores=stores, variable=STORE))
    add("--artifacts", help=say("where artifacts go: s3://BUCKET/FOLDER or a folder; if absent, FOLDER/artifacts"))
    add("--accounts", action="store_true", help=say("ask for a password on this machine too"))
    add("--name", action="append", metavar="HOST", help=say("what clients call it, as behind a proxy"))
    add("--folder", type=Path, default=Path("server"), help=say("where it keeps its own files"))
    return parser


@contextmanager
def _held(given: argparse.Namespace) -> Iterator[None]:
    """Take the folder for this process and for the server that it becomes; a second one is told who has it."""
    folder = given.folder.absolute()
    with writing("--folder", folder):
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        lock = os.open(folder / "lock", os.O_CREAT | os.O_RDWR, 0o600)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        os.ftruncate(lock, 0)
        os.write(lock, f"process {os.getpid()}, port {given.port}".encode())
        os.set_inheritable(lock, True)
        yield
    except BlockingIOError as error:
        who = os.read(lock, 100).decode()
        raise UserError(
            f"--folder: a server ({who}) has {folder} already; end it, or name another folder and port."
        ) from error
    finally:
        os.close(lock)


def server_command(given: argparse.Namespace) -> tuple[list[str], dict[str, str]]:
    """Prepare the store and the accounts; return the server's command and what it adds to the environment.

    Raises UserError if the port is taken, the store or the folder cannot be used, or there is nothing to check
    passwords with.
    """
    from src.tracking import workers
    from src.tracking.access import check_artifacts
    from src.tracking.opening import open_store

    _check_free(given.host, given.port)
    accounts = given.accounts or not _is_loopback(given.host)
    if accounts and find_spec("flask_wtf") is None:
        raise UserError(f"accounts need the Python package 'flask-wtf': {runnable('python -m pip install flask-wtf')}")
    folder = given.folder.absolute()
    with writing("--folder", folder):
        environment = _accounts(folder) if accounts else {}
    try:
        store = open_store(given.store or os.environ.get(STORE) or f"sqlite:///{folder}/mlflow.db")
    except UserError as error:
        raise UserError(str(error).replace("tracking.uri", "--store", 1)) from error
    if store.address.startswith("http"):
        raise UserError(f"--store: {masked(store.address)} is a server itself; name its database.")
    if given.artifacts:
        check_artifacts("--artifacts", given.artifacts, store.address)
    names = given.name or ([] if _is_loopback(given.host) else _own_names(given.host))
    shown = f"http://{given.host if _is_loopback(given.host) else names[0]}:{given.port}"
    print(say("MLflow: {address}  (Ctrl-C ends it)", address=shown))
    if given.name and _is_loopback(given.host):
        print(say("Clients: the proxy's address, by the name {name}", name=given.name[0]))
    else:
        print(say("Clients: {command}", command=f"export MLFLOW_TRACKING_URI={shown}"))
    if accounts:
        where = {"file": folder / "admin-password", "variable": PASSWORD}
        print(say("Account: admin; the password is in {file} or {variable}. More accounts: SERVER.md.", **where))
    started = [sys.executable, "-m", "mlflow", "server", "--host", given.host, "--port", str(given.port)]
    started += ["--gunicorn-opts", shlex.join(["--config", workers.__file__])]
    started += ["--artifacts-destination", given.artifacts or str(folder / "artifacts")]
    started += ["--app-name", "basic-auth"] if accounts else []
    if names:
        # A page's own requests name it as their origin, and MLflow trusts those of this machine only.
        hosts = ["localhost", "127.0.0.1", *names]
        origins = [f"{scheme}://{name}{port}" for scheme in ("http", "https") for name in names for port in ("", ":*")]
        environment["MLFLOW_SERVER_ALLOWED_HOSTS"] = ",".join([*hosts, *(f"{host}:*" for host in hosts)])
        environment["MLFLOW_SERVER_CORS_ALLOWED_ORIGINS"] = ",".join(origins)
    # The address in the environment: everybody on this machine sees a command. The queue of jobs would take 2 GB.
    environment |= {"MLFLOW_BACKEND_STORE_URI": store.address, "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false"}
    # MLflow would advise against gunicorn, and start four workers.
    return started, {"PYTHONWARNINGS": "ignore", "MLFLOW_WORKERS": os.environ.get("MLFLOW_WORKERS", "2"), **environment}


def _check_free(host: str, port: int) -> None:
    try:
        family, kind, _, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        with socket.socket(family, kind) as trial:
            trial.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # as the server does
            trial.bind(address)
    except PermissionError as error:
        raise UserError(f"--port: {port} may not be used by you; ports from 1024 on may.") from error
    except OSError as error:
        if error.errno == errno.EADDRINUSE:
            raise UserError(f"--port: something answers on port {port} already; name another, as 5001.") from error
        raise UserError(f"--host: {host!r} is no address of this machine; 0.0.0.0 means all it has.") from error


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _own_names(host: str) -> list[str]:
    """What a client may call this machine: the address it listens on, or all names and addresses it has."""
    if host not in ("0.0.0.0", "::"):
        return [host]
    import psutil

    known = [each for card in psutil.net_if_addrs().values() for each in card if each.family == socket.AF_INET]
    addresses = [each.address for each in known if not _is_loopback(each.address)]
    return list(dict.fromkeys([socket.gethostname(), socket.getfqdn(), *addresses]))


def _accounts(folder: Path) -> dict[str, str]:
    """Write what MLflow's accounts need: their settings, the first account's password, the key of its forms."""
    settings = folder / "accounts.ini"
    if not settings.exists():
        database = "sqlite:///" + str(folder / "accounts.db").replace("%", "%%")  # a percent sign begins a name there
        _write_private(settings, ACCOUNTS.format(database=database))
    os.close(os.open(folder / "accounts.db", os.O_CREAT, 0o600))  # it holds what passwords are checked with
    (folder / "accounts.db").chmod(0o600)
    environment = {"MLFLOW_AUTH_CONFIG_PATH": str(settings)}
    for variable, name in ((PASSWORD, "admin-password"), (SECRET, "secret-key")):
        if not os.environ.get(variable):
            file = folder / name
            if not file.exists():
                _write_private(file, secrets.token_urlsafe(18))
            environment[variable] = file.read_text()
    return environment


def _write_private(file: Path, text: str) -> None:
    with open(os.open(file, os.O_CREAT | os.O_WRONLY | os.O_EXCL, 0o600), "w") as written:
        written.write(text)


if __name__ == "__main__":
    sys.exit(main())
