"""Sites that are new every time: made once, kept as a dump, and restored in seconds."""

import hashlib
import json
import shutil
import subprocess
from datetime import date, datetime, time, timedelta, timezone
from pathlib import Path

from bench import HERE, PROJECT, SOURCES, Bench
from clock import AHEAD
from report import Failed, step
from services import MariaDB, Redis

ADMIN_PASSWORD = "admin"
BASE = "base.localhost"
APP = PROJECT / "marketing_automation"
# That of the sites: America/Bogota (prepare_site.py), which knows no daylight saving.
TIME_ZONE = timezone(timedelta(hours=-5))


def today() -> date:
	"""Return what day it is on the sites."""
	return datetime.now(TIME_ZONE).date()


class Sites:
	"""The sites of one bench."""

	def __init__(self, bench: Bench, mariadb: MariaDB, redis: Redis | None = None):
		"""redis: where no other site uses it, so that it can simply be emptied for a new one."""
		self.bench = bench
		self.mariadb = mariadb
		self.redis = redis

	@property
	def dumps(self) -> Path:
		return self.bench.dumps

	def prepare(self) -> None:
		"""Make what sites with the app are restored from."""
		self._dump_with_app()

	def fresh(self, site: str, demonstration: date | None = None) -> None:
		"""Make `site` a site on which the app has just been installed, with the demonstration's data of a day if wanted."""
		dump = self._dump_of_demonstration(demonstration) if demonstration else self._dump_with_app()
		with step(f"Site {site}"):
			self._restore(site, dump)
			# A restored site is a copy, and sends nothing before somebody says that it is the real one.
			self.bench.frappe(
				*("--site", site, "execute", "marketing_automation.engine.identity.bind"),
				log=f"bind-{site}.log",
			)

	def without_app(self, site: str) -> None:
		"""Make `site` a site with Frappe and ERPNext only."""
		dump = self._dump_of_base()
		with step(f"Site {site}"):
			self._restore(site, dump)

	def of_version_0_1(self, site: str) -> None:
		"""Make `site` a site on which version 0.1 of the app has just been installed."""
		self.without_app(site)
		with (HERE / "version_0_1.sql").open() as source:
			done = subprocess.run(
				self.mariadb.client(self._database(site)), stdin=source, capture_output=True, text=True
			)
		if done.returncode:
			raise Failed(f"Version 0.1 could not be restored: {done.stderr.strip()}")
		self._forget(site)

	def configure(self, site: str, **values) -> None:
		"""Write these into the configuration of a site."""
		file = self.bench.sites / site / "site_config.json"
		file.write_text(json.dumps(json.loads(file.read_text()) | values, indent=1))

	def remove(self, site: str) -> None:
		"""Remove a site and its database."""
		database = self._database(site)
		self.mariadb.sql(f"DROP DATABASE IF EXISTS `{database}`; DROP USER IF EXISTS `{database}`@`%`")
		shutil.rmtree(self.bench.sites / site, ignore_errors=True)

	def rows(self, site: str, query: str) -> list[str]:
		"""Return a query's rows, each as one text with tabs between its columns."""
		return self._lines(
			self.mariadb.client("--batch", "--skip-column-names", "-e", query, self._database(site))
		)

	def contents(self, site: str) -> list[str]:
		"""Return every row of every table, each as an INSERT statement."""
		options = ("--skip-extended-insert", "--no-create-info", "--compact")
		return self._lines(self.mariadb.client(*options, self._database(site), program="mariadb-dump"))

	@staticmethod
	def _lines(command: list[str]) -> list[str]:
		done = subprocess.run(command, capture_output=True, text=True)
		if done.returncode:
			raise Failed(f"MariaDB refused: {done.stderr.strip()}")
		return done.stdout.splitlines()

	def _dump_of_demonstration(self, day: date) -> Path:
		# The dates of the data lie around that day.
		key = _hash([HERE / "demo_data.py", APP / "tests" / "factories.py"])
		app = self._dump_with_app()
		dump = self.dumps / f"demo-{app.stem}-{key}-{day}.sql"
		if not dump.exists():
			with step("Demonstration data (300 customers, 1,000 pins)"):
				self._restore(BASE, app)
				ahead = datetime.combine(day, time(12), TIME_ZONE) - datetime.now(TIME_ZONE)
				self.bench.script(
					"demo_data.py", BASE, log="demo-data.log", **{AHEAD: str(ahead.total_seconds())}
				)
				self._keep(BASE, dump)
		return dump

	def _dump_with_app(self) -> Path:
		dump = self.dumps / f"app-{self._base_key()}-{_hash(_schema_files(APP))}.sql"
		if not dump.exists():
			base = self._dump_of_base()
			with step("marketing_automation installed (bench install-app)"):
				self._restore(BASE, base)
				self.bench.frappe(
					"--site", BASE, "install-app", "marketing_automation", log="install-app.log"
				)
				self._keep(BASE, dump)
		return dump

	def _base_key(self) -> str:
		files = [HERE / "prepare_site.py", HERE / "frappe_wheel.py"]
		if not self.bench.real_erpnext:
			files += [path for path in (HERE / "erpnext").rglob("*") if path.suffix in SOURCES]
		return _hash(files)

	def _dump_of_base(self) -> Path:
		dump = self.dumps / f"base-{self._base_key()}.sql"
		if dump.exists():
			return dump
		self.dumps.mkdir(exist_ok=True)
		with step("Site with Frappe and ERPNext (bench new-site)"):
			self.remove(BASE)
			self.bench.frappe(
				*("new-site", BASE, "--db-name", self._database(BASE), "--admin-password", ADMIN_PASSWORD),
				*("--db-host", "127.0.0.1", "--db-port", str(self.mariadb.port), "--no-mariadb-socket"),
				*("--db-root-username", "root", "--db-root-password", self.mariadb.password),
				log="new-site.log",
			)
			self.bench.frappe("--site", BASE, "install-app", "erpnext", log="install-erpnext.log")
			self.bench.script("prepare_site.py", BASE, log="prepare-site.log")
			self._keep(BASE, dump)
		return dump

	def _restore(self, site: str, dump: Path) -> None:
		self.remove(site)
		database = self._database(site)
		password = hashlib.sha256(f"{self.mariadb.password}{database}".encode()).hexdigest()[:16]
		self.mariadb.sql(
			f"CREATE DATABASE `{database}`;"
			f"CREATE OR REPLACE USER `{database}`@`%` IDENTIFIED BY '{password}';"
			f"GRANT ALL ON `{database}`.* TO `{database}`@`%`;"
		)
		with dump.open() as source:
			done = subprocess.run(self.mariadb.client(database), stdin=source, capture_output=True, text=True)
		if done.returncode:
			raise Failed(f"The dump {dump} could not be restored: {done.stderr.strip()}")
		folder = self.bench.sites / site
		for sub in ("private/files", "private/backups", "public/files", "locks", "logs"):
			(folder / sub).mkdir(parents=True, exist_ok=True)
		values = {
			"db_name": database,
			"db_password": password,
			"db_type": "mariadb",
			"allow_tests": True,
			"disable_mail_smtp_authentication": 1,
			# A Fernet key. It protects nothing: the site is thrown away.
			"encryption_key": "c2FuZGJveC1zYW5kYm94LXNhbmRib3gtc2FuZGJveC0=",
		}
		(folder / "site_config.json").write_text(json.dumps(values, indent=1))
		self._forget(site)

	def _forget(self, site: str) -> None:
		"""Remove from Redis what an earlier site of this name has left in cache and queues."""
		if self.redis:
			self.redis.flush()
			return
		self.bench.frappe("--site", site, "clear-cache", log="clear-cache.log")
		self.bench.frappe("purge-jobs", "--site", site, log="purge-jobs.log")

	def _keep(self, site: str, dump: Path) -> None:
		"""Write a site's database to `dump`, and forget the dumps that it replaces."""
		self.dumps.mkdir(exist_ok=True)
		partial = dump.with_suffix(".partial")
		with partial.open("w") as target:
			command = self.mariadb.client(
				"--single-transaction", self._database(site), program="mariadb-dump"
			)
			done = subprocess.run(command, stdout=target, stderr=subprocess.PIPE, text=True)
		if done.returncode:
			raise Failed(f"The site could not be dumped: {done.stderr.strip()}")
		for old in self.dumps.glob(f"{dump.name.split('-')[0]}-*.sql"):
			old.unlink()
		partial.rename(dump)

	def _database(self, site: str) -> str:
		return f"{self.bench.key}-{site.split('.')[0]}".replace("-", "_")


def _schema_files(app: Path) -> list[Path]:
	"""Return the files that decide what installing the app writes to the database."""
	folders = (app / app.name, app / "workspace_sidebar", app / "desktop_icon")
	files = [path for folder in folders for path in folder.rglob("*") if path.suffix in (".json", ".py")]
	return files + [app / name for name in ("hooks.py", "install.py", "patches.txt", "modules.txt")]


def _hash(files: list[Path]) -> str:
	digest = hashlib.sha256()
	for path in sorted(files):
		if "__pycache__" not in path.parts:
			digest.update(str(path.relative_to(PROJECT)).encode() + path.read_bytes())
	return digest.hexdigest()[:12]
