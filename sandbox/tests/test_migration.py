"""A site of version 0.1, with a long message log and mails under way, migrates: nothing is lost, nobody gets it twice."""

import json
import signal
import subprocess
import time

import pytest
from cli import Sandbox

SITE = "migration.localhost"
# It takes seconds; ten times as long would be another algorithm.
MOST_SECONDS = 60
LEDGER = "`tabLifecycle Execution Log`"


@pytest.fixture(scope="module")
def life():
	"""What a site of version 0.1 holds before the migration, after it, and after the next night."""
	sandbox = Sandbox()
	if any(sandbox.bench.sources.values()):
		pytest.skip("version_0_1.sql is of the sandbox's own Frappe")
	sites, seen = sandbox.sites, {}
	sites.of_version_0_1(SITE)
	try:
		seen["expected"] = _json(sandbox, "site_of_0_1.py")
		seen["rows before"] = set(sites.rows(SITE, f"select name from {LEDGER}"))
		_interrupted(sandbox)
		began = time.monotonic()
		sandbox.bench.frappe("--site", SITE, "migrate", "--skip-search-index", log="migration.log")
		seen["seconds"] = time.monotonic() - began
		seen["rows after"] = set(sites.rows(SITE, f"select name from {LEDGER}"))
		seen["columns"] = set(
			sites.rows(
				SITE,
				"select column_name from information_schema.columns where table_schema = database() "
				"and table_name = 'tabLifecycle Execution Log'",
			)
		)
		sandbox.bench.frappe("--site", SITE, "migrate", "--skip-search-index", log="migration-again.log")
		seen["rows again"] = set(sites.rows(SITE, f"select name from {LEDGER}"))
		seen["after"] = _json(sandbox, "night_after.py")
		yield seen
	finally:
		sites.remove(SITE)


def _json(sandbox: Sandbox, script: str) -> dict:
	"""Run a script of the sandbox inside the bench; return what its last line says."""
	done = subprocess.run(
		[sandbox.bench.python, sandbox.bench.script_path(script), SITE],
		cwd=sandbox.bench.sites,
		env=sandbox.bench.environ(),
		capture_output=True,
		text=True,
	)
	assert done.returncode == 0, done.stderr
	return json.loads(done.stdout.splitlines()[-1])


def _interrupted(sandbox: Sandbox) -> None:
	"""Begin the migration and kill it on the way."""
	process = subprocess.Popen(
		[str(part) for part in sandbox.bench.command("--site", SITE, "migrate", "--skip-search-index")],
		cwd=sandbox.bench.sites,
		env=sandbox.bench.environ(),
		stdout=subprocess.DEVNULL,
		stderr=subprocess.DEVNULL,
	)
	time.sleep(3)
	process.send_signal(signal.SIGKILL)
	process.wait()


def test_the_migration_takes_seconds_with_100_000_messages(life):
	assert len(life["rows before"]) > 100_000
	assert life["seconds"] < MOST_SECONDS


def test_no_message_of_the_log_is_lost(life):
	assert life["rows before"] <= life["rows after"]
	assert life["rows after"] == life["rows again"]


def test_a_worker_with_the_old_code_fails_instead_of_claiming_by_the_old_key(life):
	assert "idempotency_key" not in life["columns"]


def test_everyone_has_the_message_once(life):
	mails = life["after"]["mails"]
	got = {pin: mails.get(address, 0) for pin, (address, _outcome) in life["expected"].items()}
	wanted = {pin: int(outcome == "mailed") for pin, (_address, outcome) in life["expected"].items()}
	assert got == wanted


def test_every_message_that_was_under_way_has_an_end(life):
	rows = life["after"]["rows"]
	assert set(rows) == set(life["expected"])
	assert {status for statuses in rows.values() for status in statuses} <= {"Completed", "Skipped", "Failed"}
