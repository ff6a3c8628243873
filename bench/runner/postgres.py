"""The project's own PostgreSQL, through `scripts/postgres`."""

import contextlib
import subprocess

from .build import ROOT

SCRIPT = ROOT / "scripts" / "postgres"


class Server:
    def __init__(self, folder, url):
        self.folder = folder
        self.url = url
        self.programs = call("bin")

    @property
    def pid(self):
        return int((self.folder / "data" / "postmaster.pid").read_text().split()[0])

    def program(self, name):
        return f"{self.programs}/{name}"

    def psql(self, url, sql):
        subprocess.run([self.program("psql"), "-qX", "-v", "ON_ERROR_STOP=1", "-c", sql, url], check=True)

    def ask(self, url, sql):
        """One value."""
        command = [self.program("psql"), "-qXAt", "-v", "ON_ERROR_STOP=1", "-c", sql, url]
        return subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout.strip()

    def create_database(self, name):
        self.psql(self.url, f"create database {name}")
        return self.url.rsplit("/", 1)[0] + "/" + name


@contextlib.contextmanager
def running(folder):
    try:
        yield Server(folder, call("start", folder))
    finally:
        call("stop", folder)


def call(*arguments):
    return subprocess.run([SCRIPT, *arguments], check=True, stdout=subprocess.PIPE, text=True).stdout.strip()
