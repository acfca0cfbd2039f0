"""A bench: apps, a Python environment and sites, as the bench command lays them out."""

import copy
import hashlib
import json
import operator
import os
import re
import shutil
import subprocess
from pathlib import Path

import frappe_wheel
import host
import shapes
from report import Failed, run, step

HERE = Path(__file__).resolve().parent
PROJECT = HERE.parent
WHEEL_PYTHONS = ("3.11", "3.10")
COMPARED = {">=": operator.ge, "<=": operator.le, ">": operator.gt, "<": operator.lt}
SOURCES = (".py", ".json", ".txt")
SOURCE_PYTHONS = ("3.11", "3.12", "3.10", "3.13", "3.14")


class Bench:
	"""One combination of Frappe and ERPNext below the sandbox's folder.

	frappe, erpnext: where they come from (a path, or a git address with an optional @branch); without them the
	Frappe of the wheel and the stand-in of ERPNext. shape: the version of ERPNext that the stand-in looks like.
	"""

	def __init__(
		self, folder: Path, frappe: str | None = None, erpnext: str | None = None, shape: str = "16"
	):
		if shape not in shapes.SHAPES:
			raise Failed(f"SHAPE is one of {', '.join(shapes.SHAPES)}, not {shape}.")
		self.sources = {"frappe": frappe, "erpnext": erpnext}
		self.shape = "16" if erpnext else shape
		self.key = _key(
			"-".join(f"{app}-{source}" for app, source in self.sources.items() if source) or "wheel"
		)
		self.folder = folder / self.key
		self.apps = self.folder / "apps"
		self.sites = self.folder / "sites"
		self.logs = self.folder / "logs"
		self.dumps = self.folder / "dumps"
		self.python = self.folder / "env" / "bin" / "python"

	@property
	def real_erpnext(self) -> bool:
		return bool(self.sources["erpnext"])

	def obtain(self) -> None:
		"""Put the sources that were given in their places: what they say decides on the rest."""
		for folder in (self.apps, self.logs, self.folder / "stamps"):
			folder.mkdir(parents=True, exist_ok=True)
		for app, source in self.sources.items():
			if source and self.stamp(f"{app}-source", source):
				with step(f"{app} from {source}"):
					_obtain(source, self.apps / app, self.logs / f"{app}-git.log")
				(self.folder / "stamps" / app).unlink(missing_ok=True)
				self.stamped(f"{app}-source", source)

	def build(self, services: dict) -> None:
		"""Build what is not there yet."""
		for folder in (self.sites / "assets", self.folder / "config"):
			folder.mkdir(parents=True, exist_ok=True)
		self.obtain()
		self._environment()
		self._app("frappe", None)
		self._app("erpnext", HERE / "erpnext")
		_link(self.apps / "marketing_automation", PROJECT)
		self._importable()
		if self.shape != "16":
			self._reshape()
		self._configure(services)

	def _reshape(self) -> None:
		"""Go on as a bench with this environment in which the stand-in has another shape."""
		self.key = f"{self.key}-{self.shape}"
		folder = self.folder / f"shape-{self.shape}"
		own = {app: self.apps / app for app in ("frappe", "marketing_automation")}
		self.apps, self.sites, self.logs = folder / "apps", folder / "sites", folder / "logs"
		self.dumps = folder / "dumps"
		for path in (self.apps, self.sites / "assets", self.logs, folder / "config"):
			path.mkdir(parents=True, exist_ok=True)
		for app, path in own.items():
			_link(self.apps / app, path.resolve())
		content = "".join(
			path.read_text() for path in sorted(shapes.STAND_IN.rglob("*")) if path.suffix in SOURCES
		)
		if self.stamp(f"shape-{self.shape}", content):
			shapes.make(self.shape, self.apps / "erpnext")
			self.stamped(f"shape-{self.shape}", content)

	def twin(self, folder: Path, services: dict) -> "Bench":
		"""Return a bench with these apps, this environment and these dumps, but with sites and services of its own."""
		twin = copy.copy(self)
		twin.key = f"{self.key}-{folder.name}"
		twin.sites, twin.logs = folder / "sites", folder / "logs"
		for path in (twin.sites / "assets", twin.logs, folder / "config"):
			path.mkdir(parents=True, exist_ok=True)
		# Frappe looks for the apps' commands beside the sites.
		_link(folder / "apps", self.apps)
		twin._configure(services)
		return twin

	def _configure(self, services: dict) -> None:
		_write(self.sites / "apps.txt", "frappe\nerpnext\nmarketing_automation\n")
		redis = f"redis://127.0.0.1:{services['redis'].port}"
		config = {
			"db_host": "127.0.0.1",
			"db_port": services["mariadb"].port,
			"redis_cache": redis,
			"redis_queue": redis,
			"redis_socketio": redis,
			"socketio_port": 9,
			"webserver_port": 8000,
			"developer_mode": 0,
		}
		_write(self.sites / "common_site_config.json", json.dumps(config, indent=1))
		assets = self.sites / "assets" / "assets.json"
		if not assets.exists():
			assets.write_text("{}")

	def stamp(self, name: str, content: str) -> bool:
		"""Say whether step `name` was done with other content, or never; `stamped` says that it is done now."""
		path = self.folder / "stamps" / name
		return not path.exists() or path.read_text() != content

	def stamped(self, name: str, content: str) -> None:
		(self.folder / "stamps" / name).write_text(content)

	@property
	def _requirements(self) -> Path:
		return HERE / ("requirements.txt" if not self.sources["frappe"] else "requirements-tests.txt")

	def pythons(self) -> tuple[str, ...]:
		"""Return the versions of Python of which the environment needs one; none when it is there.

		A Frappe that was given, and obtained, says itself which can be.
		"""
		if not self.stamp("environment", self._requirements.read_text()):
			return ()
		if not self.sources["frappe"]:
			return WHEEL_PYTHONS
		project = self.apps / "frappe" / "pyproject.toml"
		text = project.read_text() if project.exists() else ""
		if not (wanted := re.search(r'^requires-python\s*=\s*"([^"]*)"', text, re.MULTILINE)):
			return SOURCE_PYTHONS
		return tuple(python for python in SOURCE_PYTHONS if _accepts(wanted[1], python)) or SOURCE_PYTHONS

	def _environment(self) -> None:
		pythons, requirements = self.pythons(), self._requirements
		if not pythons:
			return
		python = host.python(pythons)
		with step(f"Python environment ({Path(python).name}, {requirements.name})"):
			shutil.rmtree(self.folder / "env", ignore_errors=True)
			# The apps that were given are installed in it, so they have to be again.
			for app in (app for app, source in self.sources.items() if source):
				(self.folder / "stamps" / app).unlink(missing_ok=True)
			run([python, "-m", "venv", self.folder / "env"], self.logs / "venv.log")
			# All versions are pinned, so there is nothing to resolve. What is used is compiled when it is (environ).
			pinned = [] if self.sources["frappe"] else ["--no-deps"]
			self.pip("install", "--quiet", "--no-compile", *pinned, "-r", requirements, log="pip.log")
		self.stamped("environment", requirements.read_text())

	def pip(self, *arguments, log: str) -> None:
		"""Run pip of the bench's environment."""
		command = [self.python, "-m", "pip", "--disable-pip-version-check", *arguments]
		run(command, self.logs / log, env={**os.environ, "PIP_NO_INPUT": "1"})

	def _app(self, app: str, stand_in: Path | None) -> None:
		source = self.sources[app]
		if not source and stand_in:
			_link(self.apps / app, stand_in)
		elif not source:
			self._frappe_from_wheel()
		elif self.stamp(app, source):
			with step(f"{app} installed"):
				self.pip("install", "--quiet", "--editable", self.apps / app, log=f"{app}-pip.log")
			self.stamped(app, source)

	def _frappe_from_wheel(self) -> None:
		content = frappe_wheel.REQUIREMENT + (HERE / "frappe_wheel.py").read_text()
		if not self.stamp("frappe", content):
			return
		with step("Frappe from its wheel"):
			downloads = self.folder / "downloads"
			downloads.mkdir(exist_ok=True)
			requirement = downloads / "frappe.txt"
			requirement.write_text(frappe_wheel.REQUIREMENT)
			self.pip(
				*("download", "--quiet", "--no-deps", "--require-hashes"),
				*("--dest", downloads, "-r", requirement),
				log="frappe-download.log",
			)
			shutil.rmtree(self.apps / "frappe", ignore_errors=True)
			frappe_wheel.unpack(next(downloads.glob("*.whl")), self.apps / "frappe")
		self.stamped("frappe", content)

	def _importable(self) -> None:
		"""Put the apps that are not installed with pip on the environment's path."""
		packages = next((self.folder / "env" / "lib").glob("python*")) / "site-packages"
		paths = [self.apps / app for app, source in self.sources.items() if not source]
		paths.append(self.apps / "marketing_automation")
		_write(packages / "sandbox_apps.pth", "".join(f"{path}\n" for path in paths))

	def environ(self, **more) -> dict:
		"""Return the environment variables of a process of this bench."""
		own = {
			"PYTHONUNBUFFERED": "1",
			# Compiled once for the hundreds of processes of a test run, and nothing written beside the sources.
			"PYTHONPYCACHEPREFIX": str(self.folder / "pycache"),
			"DEV_SERVER": "0",
		}
		if self.shape != "16":
			# Before the stand-in that the environment knows.
			own["PYTHONPATH"] = str(self.apps / "erpnext")
		# CI makes newer workers run in test mode.
		foreign = ("CI", "PYTHONDONTWRITEBYTECODE")
		return {**{k: v for k, v in os.environ.items() if k not in foreign}, **own, **more}

	def command(self, *arguments) -> list:
		"""Return the command line of a bench command, to be run from `sites`."""
		return [self.python, "-m", "frappe.utils.bench_helper", "frappe", *arguments]

	def frappe(self, *arguments, log: str) -> None:
		"""Run a bench command; raises Failed with the end of its log when it fails."""
		run(self.command(*arguments), self.logs / log, cwd=self.sites, env=self.environ())

	@staticmethod
	def script_path(script: str) -> Path:
		"""Return where a script of this folder is."""
		return HERE / script

	def script(self, script: str, *arguments, log: str | None = None, **environ) -> int:
		"""Run a Python script of this folder inside the bench; return its exit code. Its output is shown, or logged."""
		command = [self.python, self.script_path(script), *arguments]
		environ = self.environ(**environ)
		if log:
			run(command, self.logs / log, cwd=self.sites, env=environ)
			return 0
		process = subprocess.Popen([str(part) for part in command], cwd=self.sites, env=environ)
		try:
			return process.wait()
		except KeyboardInterrupt:
			# It has had the Ctrl-C too, and ends what it has started.
			process.wait()
			raise
		except BaseException:
			process.terminate()
			process.wait()
			raise


def _accepts(requirement: str, python: str) -> bool:
	"""Say whether a project with this `requires-python` (>=3.10,<3.13) can have Python 3.x."""
	version = tuple(int(part) for part in python.split("."))
	bounds = re.findall(r"(>=|<=|>|<)\s*(\d+)\.(\d+)", requirement)
	return all(COMPARED[sign](version, (int(major), int(minor))) for sign, major, minor in bounds)


def _key(text: str) -> str:
	"""Return a name for a folder: short, and different for different texts."""
	plain = re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-")
	return plain if len(plain) <= 20 else f"{plain[:20]}-{hashlib.sha256(text.encode()).hexdigest()[:8]}"


def _write(file: Path, content: str) -> None:
	"""Write a file unless it says this already: processes of the bench may be reading it."""
	if not file.exists() or file.read_text() != content:
		file.write_text(content)


def _link(link: Path, target: Path) -> None:
	if link.is_symlink() and link.resolve() == target.resolve():
		return
	if link.is_symlink() or link.exists():
		link.unlink()
	link.symlink_to(target)


def _obtain(source: str, target: Path, log: Path) -> None:
	"""Put an app's source at `target`: a folder is linked, a git address (with @branch) is cloned."""
	folder = Path(source).expanduser()
	if target.is_symlink():
		target.unlink()
	shutil.rmtree(target, ignore_errors=True)
	if (folder / "pyproject.toml").exists() or (folder / "setup.py").exists():
		_link(target, folder.resolve())
		return
	address, branch = source, None
	# An @ before the last slash belongs to the address (git@host:...).
	if "@" in source.rpartition("/")[2]:
		address, _, branch = source.rpartition("@")
	if Path(address).expanduser().exists():
		address = Path(address).expanduser().resolve().as_uri()
	elif "://" not in address and ":" not in address:
		raise Failed(f"{source} is neither a folder with an app nor a git address.")
	run(["git", "clone", "--depth", "1", *(["--branch", branch] if branch else []), address, target], log)
