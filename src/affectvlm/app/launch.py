"""Starting the page: a Streamlit server of its own process, for this machine alone."""

from __future__ import annotations

import importlib.util
import signal
import socket
import subprocess
import sys
from pathlib import Path
from urllib.parse import urlsplit

from affectvlm.app.settings import FOLDERS, AppSettings
from affectvlm.errors import ConfigError

PAGE = Path(__file__).with_name("page.py")

SERVER = Path(__file__).with_name("server.py")
"""Serves the page, and live frames."""

HOST = "127.0.0.1"

HOSTS = (HOST, "localhost")
"""Names by which the page may be called: a page elsewhere that has a name of its own point here gets no answer."""

MAX_UPLOAD_MB = 200
"""Of each file, and of all that are dropped as one scan. A textured scan has a tenth of this."""

SETTINGS: dict[str, str] = {
    "server.address": HOST,
    "server.maxUploadSize": str(MAX_UPLOAD_MB),
    "server.fileWatcherType": "none",
    "server.showEmailPrompt": "false",
    "browser.gatherUsageStats": "false",
    # After every run of the page, a fragment's included: with the model's libraries in memory each takes a tenth of a
    # second or more, for which everything else stands still. Python collects by itself.
    "runner.postScriptGC": "false",
    # Without these two the page offers to publish itself and to search the web for an error.
    "client.toolbarMode": "minimal",
    "client.showErrorLinks": "false",
    # One colour for both would make the theme a light one, whatever the visitor's system says.
    "theme.light.primaryColor": "#3470c8",
    "theme.dark.primaryColor": "#6ea0ea",
    "theme.paddingTop": "1rem",
    # Sections are headings of the third level; Streamlit's own sizes are for a page of prose.
    "theme.headingFontSizes": '["2.1rem", "1.6rem", "1.3rem"]',
}
"""Given as flags, so that nothing is written into the user's home."""


def launch(settings: AppSettings, port: int | None = None, browser: bool = True, public_url: str | None = None) -> int:
    """Serve the page until it is interrupted with Ctrl-C.

    Parameters
    ----------
    settings : AppSettings
    port : int, optional
        By default the first free one from 8501 on.
    browser : bool
        Open the page in the user's browser, where there is a screen to open it on.
    public_url : str, optional
        Where a web server on this machine passes the page on, as its visitors write it.

    Returns
    -------
    int
        The server's exit status; 0 after Ctrl-C.

    Raises
    ------
    ModelError
        There is no such model.
    ConfigError
        Streamlit or plotly is not installed, a folder is missing, the port is taken, or the address is none.
    """
    _check_installed()
    _check_folders(settings)
    _check_model(settings.model)
    if port is not None:
        _check_free(port)
    server = subprocess.Popen(command(settings, port, browser, public_url))
    # Whoever ends this process alone, as a service manager may, ends the server too.
    before = signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    try:
        return server.wait()
    except KeyboardInterrupt:
        return 0
    finally:
        _end(server)
        signal.signal(signal.SIGTERM, before)


def command(settings: AppSettings, port: int | None, browser: bool, public_url: str | None = None) -> list[str]:
    """Write out how the server is started.

    Raises
    ------
    ConfigError
        The public address is none.
    """
    server, hosts = dict(SETTINGS), list(HOSTS)
    if public_url is not None:
        server |= _passed_on_at(public_url)
        hosts.append(server["browser.serverAddress"])
    if port is not None:
        server["server.port"] = str(port)
    if not browser:
        server["server.headless"] = "true"
    flags = [part for name, value in server.items() for part in (f"--{name}", value)]
    flags += [part for host in hosts for part in ("--server.allowedHosts", host)]
    return [sys.executable, "-m", "streamlit", "run", str(SERVER), *flags, "--", settings.model_dump_json()]


def _passed_on_at(public_url: str) -> dict[str, str]:
    """Tell what the server has to know of the address at which a web server on this machine passes it on."""
    try:
        parts = urlsplit(public_url)
        host, port = parts.hostname, parts.port
    except ValueError:
        host = None
    if not host or parts.scheme not in ("http", "https") or parts.query or parts.fragment or parts.username:
        raise ConfigError(
            f"--public-url: expected an address such as https://lab.example.org/faces, found {public_url!r}"
        )
    return {
        "server.baseUrlPath": parts.path.strip("/"),
        # Opened by the browser and printed in the terminal.
        "browser.serverAddress": host,
        "browser.serverPort": str(port or (443 if parts.scheme == "https" else 80)),
    }


def _check_folders(settings: AppSettings) -> None:
    for name in FOLDERS:
        folder = getattr(settings, name)
        if folder is not None and not folder.is_dir():
            found = "a file" if folder.exists() else "nothing"
            raise ConfigError(f"--{name}: expected a folder, found {found} at {folder}; name one that is there")


def _check_installed() -> None:
    missing = [name for name in ("streamlit", "plotly") if importlib.util.find_spec(name) is None]
    if missing:
        raise ConfigError(f"the app needs {' and '.join(missing)}; install with `pip install 'affectvlm[app]'`")


def _check_model(folder: Path) -> None:
    """Say what is wrong here in the terminal, rather than later on the page.

    The model is loaded once, by the server: only where a file is missing is it loaded here too, for the error.
    """
    if not all((folder / name).is_file() for name in ("config.json", "model.safetensors")):
        from affectvlm.model import AffectVLM  # takes seconds, for PyTorch

        AffectVLM.load(folder)


def _check_free(port: int) -> None:
    with socket.socket() as probe:
        # As the server does; else a port that was used a minute ago would count as taken.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except (OSError, OverflowError) as error:
            raise ConfigError(f"cannot serve on port {port} ({error}); choose another with --port") from error


def _end(server: subprocess.Popen[bytes]) -> None:
    """Wait for the server's own goodbye; Ctrl-C reached it too, but a signal to this process alone did not."""
    if server.poll() is None:
        server.terminate()
        try:
            server.wait(timeout=10)
        except subprocess.TimeoutExpired:
            server.kill()
            server.wait()
