"""A site of version 0.1, with a long message log and mails under way, migrates: nothing is lost, nobody gets it twice."""

import json
import subprocess
import time

import pytest
from cli import Sandbox

SITE = "migration.localhost"
# The columns whose appearance says how far the migration is; it is killed at each.
ON_THE_WAY = ("message_key_in_the_making", "message_key", "handle")
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
		seen["killed"] = [_killed_at(sandbox, column) for column in ON_THE_WAY]
		sandbox.bench.frappe("--site", SITE, "migrate", "--skip-search-index", log="migration.log")
		seen["rows after"] = set(sites.rows(SITE, f"select name from {LEDGER}"))
		seen["columns"] = _columns(sandbox)
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


def _columns(sandbox: Sandbox) -> set[str]:
	return set(
		sandbox.sites.rows(
			SITE,
			"select column_name from information_schema.columns where table_schema = database() "
			"and table_name = 'tabLifecycle Execution Log'",
		)
	)


def _killed_at(sandbox: Sandbox, column: str) -> bool:
	"""Begin the migration and kill it when the log has this column; return whether it was on its way then."""
	process = subprocess.Popen(
		[str(part) for part in sandbox.bench.command("--site", SITE, "migrate", "--skip-search-index")],
		cwd=sandbox.bench.sites,
		env=sandbox.bench.environ(),
		stdout=subprocess.DEVNULL,
		stderr=subprocess.DEVNULL,
	)
	while process.poll() is None and column not in _columns(sandbox):
		time.sleep(0.02)
	on_its_way = process.poll() is None
	process.kill()
	process.wait()
	return on_its_way


def test_it_was_killed_on_the_way_each_time(life):
	assert len(life["rows before"]) > 100_000
	assert life["killed"] == [True] * len(ON_THE_WAY)


def test_no_message_of_the_log_is_lost(life):
	assert life["rows before"] <= life["rows after"]
	assert life["rows after"] == life["rows again"]


def test_a_worker_with_the_old_code_fails_instead_of_claiming_by_the_old_key(life):
	assert "idempotency_key" not in life["columns"]


def test_a_worker_with_the_old_code_fails_instead_of_looking_for_mails_by_the_old_link(life):
	assert "email_queue" not in life["columns"]


def test_everyone_has_the_message_once(life):
	mails = life["after"]["mails"]
	got = {pin: mails.get(address, 0) for pin, (address, _outcome) in life["expected"].items()}
	wanted = {pin: int(outcome == "mailed") for pin, (_address, outcome) in life["expected"].items()}
	assert got == wanted


def test_every_message_that_was_under_way_has_an_end(life):
	rows = life["after"]["rows"]
	assert set(rows) == set(life["expected"])
	assert {status for statuses in rows.values() for status in statuses} <= {"Completed", "Skipped", "Failed"}
