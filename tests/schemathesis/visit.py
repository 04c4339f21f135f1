"""Starts a server for each role, and schemathesis against it, all at the same time."""

import os
import random
import signal
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

HERE = Path(__file__).resolve().parent
BINARY = Path(os.environ["VESTIBULE_BIN"]).resolve()
ROLES = ["stranger", "user", "admin"]

# Longer than a debug build takes to start, or to stop, on a machine that is busy with something else.
PATIENCE_SECONDS = 60

# Ten times what a visit takes on two idle cores: longer, and it hangs.
VISIT_SECONDS = 600


class Server:
    """The binary as its users start it, with a database of its own, and stopped at the end."""

    def __init__(self, directory):
        self.directory = directory
        # Nothing of the developer's own settings; Python's own paths are needed to start schemathesis.
        self.environment = {
            "PATH": os.environ.get("PATH", os.defpath),
            "HOST": "127.0.0.1",
            "DATA_DIR": str(directory / "data"),
            "RATE_LIMITS": "off",
            # The cheapest hash that is allowed.
            "ARGON2_MEMORY_KIB": "7168",
            "ARGON2_PASSES": "5",
        }

    def __enter__(self):
        # A port found free can be taken before the server has it: then another one is tried. None is of the range from
        # which connections to others get theirs.
        for _ in range(10):
            port = random.randrange(10_000, 30_000)
            self.url = f"http://127.0.0.1:{port}"
            self.environment |= {"PORT": str(port), "PUBLIC_URL": f"http://localhost:{port}"}
            with self.log.open("wb") as log:
                self.process = subprocess.Popen(
                    [BINARY], cwd=self.directory, env=self.environment, stdout=log, stderr=subprocess.STDOUT
                )
            if self.listens():
                return self
            self.stop()
        raise RuntimeError(f"the server does not start:\n{self.log.read_text()}")

    def __exit__(self, *_):
        self.stop()

    @property
    def log(self):
        return self.directory / "server.log"

    def listens(self):
        deadline = time.monotonic() + PATIENCE_SECONDS
        while time.monotonic() < deadline and self.process.poll() is None:
            try:
                with urllib.request.urlopen(f"{self.url}/health/ready", timeout=5):
                    # Whoever else had the port answers, and this server has ended.
                    return f"listening on {self.url}" in self.log.read_text()
            except (urllib.error.URLError, OSError):
                time.sleep(0.05)
        return False

    def stop(self):
        self.process.send_signal(signal.SIGTERM)
        try:
            self.process.wait(PATIENCE_SECONDS)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()


def visit(role):
    """What schemathesis says of a server to which `role` came, and whether all was well."""
    with tempfile.TemporaryDirectory(prefix="vestibule-schemathesis-") as directory:
        directory = Path(directory)
        with Server(directory) as server:
            program = [sys.executable, "-m", "schemathesis.cli", "--config-file", HERE / "schemathesis.toml"]
            own = {
                "VESTIBULE_URL": server.url,
                "VESTIBULE_HOOKS": str(HERE / "people.py"),
                "VESTIBULE_ROLE": role,
                "VESTIBULE_BIN": str(BINARY),
                "PYTHONDONTWRITEBYTECODE": "1",
            }
            done = subprocess.run(
                [*program, "run", "--no-color", f"{server.url}/openapi.json"],
                cwd=directory,
                env=server.environment | own,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
                timeout=VISIT_SECONDS,
                check=False,
            )
            well = done.returncode == 0 and server.process.poll() is None
        faults = [line for line in server.log.read_text().splitlines() if "panicked" in line or " ERROR " in line]
        return well and not faults, "\n".join([done.stdout, *faults])


def main():
    roles = sys.argv[1:] or ROLES
    if unknown := set(roles) - set(ROLES):
        sys.exit(f"unknown: {', '.join(unknown)}; there are {', '.join(ROLES)}")
    started = time.monotonic()
    all_well = True
    with ThreadPoolExecutor() as pool:
        for role, (well, report) in zip(roles, pool.map(visit, roles)):
            all_well &= well
            summary = next((line.strip() for line in report.splitlines() if " generated" in line), "")
            print(f"schemathesis as {role}: {summary if well else report}", flush=True)
    print(f"schemathesis: {'all is well' if all_well else 'FAILED'} ({time.monotonic() - started:.0f} s)", flush=True)
    sys.exit(not all_well)


if __name__ == "__main__":
    main()
