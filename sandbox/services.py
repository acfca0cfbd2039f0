"""MariaDB and Redis of the sandbox's own: data below its folder, loopback only, ports that are free."""

import contextlib
import json
import os
import secrets
import signal
import socket
import subprocess
import time
from pathlib import Path

from host import which
from report import Failed, run, step


def free_port(wanted: int | None = None) -> int:
	"""Return `wanted` if nobody listens there, else any free port of the loopback interface."""
	for port in (wanted, 0):
		if port is None:
			continue
		with contextlib.closing(socket.socket()) as sock:
			sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
			with contextlib.suppress(OSError):
				sock.bind(("127.0.0.1", port))
				return sock.getsockname()[1]
	raise Failed("No free port on 127.0.0.1.")


def end_marked(variable: str, value: str) -> None:
	"""End each process that has this in its environment, as those that it starts have, too; after 20 s by force."""
	mark = f"{variable}={value}".encode()

	def marked() -> list[int]:
		found = []
		for path in Path("/proc").glob("[0-9]*/environ"):
			# It may be gone by now, and those of others cannot be read.
			with contextlib.suppress(OSError):
				if mark in path.read_bytes().split(b"\0"):
					found.append(int(path.parent.name))
		return found

	for how, seconds in ((signal.SIGTERM, 20), (signal.SIGKILL, 5)):
		for pid in marked():
			with contextlib.suppress(ProcessLookupError):
				os.kill(pid, how)
		deadline = time.monotonic() + seconds
		while marked() and time.monotonic() < deadline:
			time.sleep(0.05)


class Service:
	"""A server process with a pid file; only a process that is really ours is ever stopped."""

	name: str

	def __init__(self, folder: Path):
		self.folder = folder
		self.state_file = folder / "state.json"
		self.log = folder / "server.log"

	@property
	def state(self) -> dict:
		return json.loads(self.state_file.read_text()) if self.state_file.exists() else {}

	def remember(self, **values) -> None:
		self.folder.mkdir(parents=True, exist_ok=True)
		self.state_file.write_text(json.dumps({**self.state, **values}))

	@property
	def port(self) -> int:
		return self.state["port"]

	def running(self) -> bool:
		"""Say whether the process that we started is alive: its pid, started when we started it."""
		pid = self.state.get("pid")
		return bool(pid) and started_at(pid) == self.state.get("started_at")

	def start(self) -> bool:
		"""Start unless it runs; return whether this call started it."""
		if self.running():
			return False
		self.prepare()
		self.remember(port=free_port(self.state.get("port")))
		with step(f"{self.name} on 127.0.0.1:{self.port}"):
			with self.log.open("a") as log:
				process = subprocess.Popen(
					self.command(),
					executable=self.executable(),
					stdout=log,
					stderr=subprocess.STDOUT,
					stdin=subprocess.DEVNULL,
					start_new_session=True,
				)
			self.remember(pid=process.pid, started_at=started_at(process.pid))
			deadline = time.monotonic() + 60
			while not self.answers():
				if process.poll() is not None or time.monotonic() > deadline:
					self.stop()
					raise Failed(f"{self.name} did not start. Its log is in {self.log}.")
				time.sleep(0.1)
		return True

	def stop(self) -> None:
		"""Stop the process that we started, if it still runs, and wait for its end."""
		if self.running():
			pid = self.state["pid"]
			os.kill(pid, signal.SIGTERM)
			deadline = time.monotonic() + 60
			while self.running() and time.monotonic() < deadline:
				with contextlib.suppress(ChildProcessError):
					os.waitpid(pid, os.WNOHANG)
				time.sleep(0.05)
			if self.running():
				raise Failed(f"{self.name} (process {pid}) does not end.")

	def restart(self, how: signal.Signals = signal.SIGTERM) -> None:
		"""End the process with a signal, SIGKILL for the crash of it, and start it again on the same port."""
		pid = self.state["pid"]
		if how == signal.SIGKILL and self.running():
			os.kill(pid, how)
			while self.running():
				time.sleep(0.05)
		self.stop()
		# The connections of the dead hold its port for a moment, and clients know no other.
		deadline = time.monotonic() + 60
		while free_port(self.port) != self.port:
			if time.monotonic() > deadline:
				raise Failed(f"The port {self.port} of {self.name} does not become free.")
			time.sleep(0.1)
		self.start()

	def prepare(self) -> None:
		self.folder.mkdir(parents=True, exist_ok=True)

	def command(self) -> list[str]:
		raise NotImplementedError

	def executable(self) -> str:
		raise NotImplementedError

	def answers(self) -> bool:
		raise NotImplementedError


class MariaDB(Service):
	name = "MariaDB"

	@property
	def password(self) -> str:
		return self.state["password"]

	def prepare(self) -> None:
		super().prepare()
		data = self.folder / "data"
		if "password" in self.state and (data / "mysql").exists():
			return
		self.remember(password=secrets.token_hex(12))
		with step("MariaDB's data folder"):
			run(
				[
					which("mariadb-install-db"),
					"--no-defaults",
					f"--datadir={data}",
					"--auth-root-authentication-method=normal",
					"--skip-test-db",
					*self._user(),
				],
				self.folder / "install.log",
			)
		(self.folder / "init.sql").write_text(
			f"ALTER USER 'root'@'localhost' IDENTIFIED BY '{self.password}';\n"
			f"CREATE OR REPLACE USER 'root'@'127.0.0.1' IDENTIFIED BY '{self.password}';\n"
			"GRANT ALL ON *.* TO 'root'@'127.0.0.1' WITH GRANT OPTION;\n"
		)

	@staticmethod
	def _user() -> list[str]:
		return [] if os.geteuid() else ["--user=root"]

	def executable(self) -> str:
		return which("mariadbd")

	def command(self) -> list[str]:
		# A Unix socket's path may have 107 characters at most, and a project's folder more than that.
		sock = f"/tmp/ma-sandbox-{os.getuid()}-{self.port}.sock"
		return [
			"mariadbd",
			"--no-defaults",
			f"--datadir={self.folder / 'data'}",
			f"--socket={sock}",
			f"--pid-file={self.folder / 'mariadbd.pid'}",
			f"--init-file={self.folder / 'init.sql'}",
			"--bind-address=127.0.0.1",
			f"--port={self.port}",
			"--skip-name-resolve",
			"--character-set-server=utf8mb4",
			"--collation-server=utf8mb4_unicode_ci",
			"--innodb-buffer-pool-size=512M",
			"--innodb-log-file-size=256M",
			# Survives the death of the process, as a production server does; not that of the machine.
			"--innodb-flush-log-at-trx-commit=2",
			"--max-allowed-packet=256M",
			*self._user(),
		]

	def answers(self) -> bool:
		return not subprocess.run(self.client("-e", "select 1"), capture_output=True).returncode

	def client(self, *arguments: str, program: str = "mariadb") -> list[str]:
		"""Return the command line of a client of this server."""
		return [
			which(program),
			"--no-defaults",
			"--protocol=tcp",
			"--host=127.0.0.1",
			f"--port={self.port}",
			"--user=root",
			f"--password={self.password}",
			*arguments,
		]

	def sql(self, statements: str) -> None:
		"""Run SQL statements as the server's root."""
		done = subprocess.run(self.client("-e", statements), capture_output=True, text=True)
		if done.returncode:
			raise Failed(f"MariaDB refused: {done.stderr.strip()}")


class Redis(Service):
	name = "Redis"

	def executable(self) -> str:
		return which("redis-check-rdb")

	def command(self) -> list[str]:
		return [
			"redis-server",
			"--bind",
			"127.0.0.1",
			"--port",
			str(self.port),
			"--dir",
			str(self.folder),
			"--save",
			"",
			"--appendonly",
			"no",
		]

	def flush(self) -> None:
		"""Forget everything, queued jobs too."""
		with socket.create_connection(("127.0.0.1", self.port), 5) as sock:
			sock.sendall(b"FLUSHALL\r\n")
			if not sock.recv(16).startswith(b"+OK"):
				raise Failed("Redis could not be flushed.")

	def answers(self) -> bool:
		with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", self.port), 1) as sock:
			sock.sendall(b"PING\r\n")
			return sock.recv(16).startswith(b"+PONG")
		return False


def started_at(pid: int) -> str | None:
	"""Return when a process was started (clock ticks since boot), or None when it is no more."""
	try:
		fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
	except OSError:
		return None
	return None if fields[0] == "Z" else fields[19]
