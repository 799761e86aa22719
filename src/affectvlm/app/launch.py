"""Starting the page: a Streamlit server of its own process, for this machine alone."""

from __future__ import annotations

import importlib.util
import socket
import subprocess
import sys
from pathlib import Path

from affectvlm.errors import ConfigError
from affectvlm.recognizer.source import find_model_folder

PAGE = Path(__file__).with_name("page.py")

HOST = "127.0.0.1"

MAX_UPLOAD_MB = 200
"""Of each file. A textured scan has a tenth of this."""

SETTINGS: dict[str, str] = {
    "server.address": HOST,
    "server.maxUploadSize": str(MAX_UPLOAD_MB),
    "server.fileWatcherType": "none",
    "server.showEmailPrompt": "false",
    "browser.gatherUsageStats": "false",
    # Without these two the page offers to publish itself and to search the web for an error.
    "client.toolbarMode": "minimal",
    "client.showErrorLinks": "false",
    # One colour for both would make the theme a light one, whatever the visitor's system says.
    "theme.light.primaryColor": "#3470c8",
    "theme.dark.primaryColor": "#6ea0ea",
    "theme.paddingTop": "2rem",
    "theme.sidebar.paddingTop": "0.5rem",
    # Sections are headings of the third level; Streamlit's own sizes are for a page of prose.
    "theme.headingFontSizes": '["2.1rem", "1.6rem", "1.3rem"]',
}
"""Given as flags, so that nothing is written into the user's home."""


def launch(model: str | Path | None = None, port: int | None = None, browser: bool = True) -> int:
    """Serve the page until it is interrupted with Ctrl-C.

    Parameters
    ----------
    model : str or Path, optional
        As in :meth:`affectvlm.recognizer.Recognizer.from_pretrained`: a folder, a hub id, or the bundled one.
    port : int, optional
        By default the first free one from 8501 on.
    browser : bool
        Open the page in the user's browser, where there is a screen to open it on.

    Returns
    -------
    int
        The server's exit status; 0 after Ctrl-C.

    Raises
    ------
    ModelError
        There is no such model.
    ConfigError
        Streamlit or plotly is not installed, or the port is taken.
    """
    _check_installed()
    folder = find_model_folder(model)
    _check_model(folder)
    if port is not None:
        _check_free(port)
    server = subprocess.Popen(command(folder, port, browser))
    try:
        return server.wait()
    except KeyboardInterrupt:
        return 0
    finally:
        _end(server)


def command(folder: Path, port: int | None, browser: bool) -> list[str]:
    """Write out how the server is started."""
    settings = dict(SETTINGS)
    if port is not None:
        settings["server.port"] = str(port)
    if not browser:
        settings["server.headless"] = "true"
    flags = [part for name, value in settings.items() for part in (f"--{name}", value)]
    return [sys.executable, "-m", "streamlit", "run", str(PAGE), *flags, "--", str(folder.resolve())]


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
