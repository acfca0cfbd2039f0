"""Installing the app leaves Frappe's and ERPNext's schema alone; uninstalling it leaves nothing of ours."""

import csv
import json
import os
import re
import stat

import pytest
from cli import Sandbox

SITE = "install.localhost"
OURS = re.compile(r"lifecycle|marketing", re.IGNORECASE)
OURS_IN_A_ROW = re.compile(
	r"Lifecycle|lifecycle_|Marketing Automation|Marketing (Manager|User)|marketing_automation"
)

SCHEMA = {
	"columns": "select table_name, column_name, column_type, column_default, is_nullable from information_schema.columns "
	"where table_schema = database()",
	"indexes": "select table_name, index_name, column_name, non_unique from information_schema.statistics "
	"where table_schema = database()",
	"DocField": "select parent, fieldname, fieldtype, options, reqd, hidden, read_only, `default`, label, idx from tabDocField",
	"Custom Field": "select name, dt, fieldname, fieldtype from `tabCustom Field`",
	"Property Setter": "select name, doc_type, field_name, property, value from `tabProperty Setter`",
	"DocType": "select name, module, custom from tabDocType",
}
RECORDS = {
	"DocPerm": "select parent, role, permlevel, `read`, `write`, `create`, `delete` from tabDocPerm",
	"Custom DocPerm": "select parent, role, permlevel from `tabCustom DocPerm`",
	"Role": "select name from tabRole",
	"Has Role": "select parent, role from `tabHas Role`",
	"Scheduled Job Type": "select method from `tabScheduled Job Type`",
	"Module Def": "select name from `tabModule Def`",
	"Workspace": "select name from tabWorkspace",
	"Report": "select name from tabReport",
	"Page": "select name from tabPage",
	"Number Card": "select name from `tabNumber Card`",
	"Dashboard Chart": "select name from `tabDashboard Chart`",
	"Dashboard": "select name from tabDashboard",
	"Module Onboarding": "select name from `tabModule Onboarding`",
	"Onboarding Step": "select name from `tabOnboarding Step`",
	"Email Template": "select name from `tabEmail Template`",
	"Logs To Clear": "select ref_doctype from `tabLogs To Clear`",
	"Installed Application": "select app_name from `tabInstalled Application`",
	"Singles": "select distinct doctype from tabSingles",
}
# What users have built that is not about ours alone (use_app.py).
KEPT = {"Kept Workspace"}
MAILS = "select status, reference_doctype from `tabEmail Queue`"
# What a designed mail says in its head, where no reader sees it: installed again, the app knows it by that.
GENERATOR = re.compile(r'<meta name=\\?"generator\\?" content=\\?"Marketing Automation\\?">')
# In these a migration writes down what is Frappe's and ERPNext's, too.
FILLED_BY_MIGRATION = ("Logs To Clear", "Installed Application")


@pytest.fixture(scope="module")
def life():
	"""What the site's database holds before the app, with it, after a migration, in use, and after it has gone."""
	sandbox = Sandbox()
	sites, bench = sandbox.sites, sandbox.bench

	def look(queries):
		return {name: set(sites.rows(SITE, query)) for name, query in queries.items()}

	seen = {}
	sites.without_app(SITE)
	seen["before"] = look(SCHEMA | RECORDS)
	seen["rows before"] = sites.contents(SITE)
	# What bench install-app has left.
	sites.fresh(SITE)
	seen["installed"] = look(SCHEMA | RECORDS)
	bench.frappe("--site", SITE, "migrate", "--skip-search-index", log="test-migrate.log")
	seen["migrated"] = look(SCHEMA | RECORDS)
	bench.script("use_app.py", SITE, log="test-use-app.log")
	seen["used"] = look(SCHEMA | RECORDS)
	seen["mails used"] = sites.rows(SITE, MAILS)
	seen["rows used"] = sites.contents(SITE)
	bench.frappe(
		*("--site", SITE, "uninstall-app", "marketing_automation", "--yes", "--no-backup"),
		log="test-uninstall.log",
	)
	seen["console"] = (sandbox.bench.logs / "test-uninstall.log").read_text()
	seen["uninstalled"] = look(SCHEMA | RECORDS)
	seen["mails"] = sites.rows(SITE, MAILS)
	seen["recipients"] = sites.rows(SITE, "select name from `tabEmail Queue Recipient`")
	seen["series"] = sites.rows(SITE, "select name from tabSeries where name like 'RUN-%'")
	seen["rows"] = sites.contents(SITE)
	bench.script("send_without_app.py", SITE, log="test-send-without-app.log")
	seen["sent without it"] = [
		json.loads(line)
		for line in (bench.logs / "test-send-without-app.log").read_text().splitlines()
		if line.startswith("{")
	]
	yield seen
	sites.remove(SITE)


def of_others(rows):
	return {row for row in rows if not OURS.search(row.split("\t")[0])}


@pytest.mark.parametrize("moment", ["installed", "migrated"])
@pytest.mark.parametrize("what", SCHEMA)
def test_the_schema_of_others_is_unmodified(life, what, moment):
	assert of_others(life[moment][what]) == of_others(life["before"][what])


def test_the_app_was_really_there_and_in_use(life):
	assert any("tabLifecycle Execution Log" in row for row in life["installed"]["columns"])
	assert {"Marketing Manager", "Marketing User"} <= life["migrated"]["Role"]
	assert "marketing_automation.tasks.check_expiring_subscriptions" in life["migrated"]["Scheduled Job Type"]
	assert sorted(life["mails used"]) == ["Not Sent\tLifecycle Campaign", "Sent\tLifecycle Campaign"]


@pytest.mark.parametrize("what", SCHEMA | RECORDS)
def test_uninstalled_it_leaves_nothing(life, what):
	left = life["uninstalled"][what] - life["before"][what]
	lost = life["before"][what] - life["uninstalled"][what]
	if what in FILLED_BY_MIGRATION:
		left -= of_others(life["migrated"][what])
	if what == "Email Template":
		# They are the marketers' own.
		left -= life["used"][what]
	left = {row for row in left if row not in KEPT}
	assert left == set()
	assert lost == set()


def test_uninstalled_no_row_of_any_table_speaks_of_it(life):
	assert len(life["rows"]) > 1000
	# Newer versions of Frappe have a role Marketing Manager, for documents of their own.
	rows = {GENERATOR.sub("", row) for row in set(life["rows"]) - set(life["rows before"])}
	tables = {row.split("`")[1] for row in rows if OURS_IN_A_ROW.search(row)}
	# Frappe's own logs, of what was deleted, of permissions, and of which apps were installed; and what was sent.
	assert tables <= {"tabDeleted Document", "tabPermission Log", "tabVersion", "tabEmail Queue"}
	assert life["series"] == []


def test_uninstalled_what_was_sent_and_the_templates_stay_and_nothing_more_is_sent(life):
	assert life["mails"] == ["Sent\tLifecycle Campaign"]
	assert len(life["recipients"]) == 1
	assert life["uninstalled"]["Email Template"] == life["used"]["Email Template"]


def test_the_nightly_job_is_at_one_oclock():
	from marketing_automation import hooks

	nightly = "marketing_automation.tasks.check_expiring_subscriptions"
	assert [at for at, jobs in hooks.scheduler_events["cron"].items() if nightly in jobs] == ["0 1 * * *"]


def test_uninstalled_what_has_a_life_of_its_own_stays_and_is_free_of_it(life):
	def kept(rows):
		tables = ("File", "Communication", "Email Account", "Event", "Workspace")
		return {
			table: [row for row in rows if row.startswith(f"INSERT INTO `tab{table}` VALUES ('Kept ")]
			for table in tables
		}

	for table, rows in kept(life["rows used"]).items():
		assert len(rows) == 1, table
	for table, rows in kept(life["rows"]).items():
		assert len(rows) == 1, table
		assert not OURS_IN_A_ROW.search(rows[0]), table
	assert [row for row in life["rows"] if "`tabWorkspace Shortcut`" in row and "'Kept Workspace'" in row]
	tables = {row.split("`")[1] for row in life["rows"] if "'Kept " in row}
	# Of the unsubscribes the one that holds for all mail.
	assert tables == {
		*(f"tab{table}" for table in kept([])),
		"tabWorkspace Shortcut",
		"tabEmail Unsubscribe",
	}


def test_uninstalled_it_has_written_down_who_had_unsubscribed_and_made_nothing_global(life):
	path = re.search(r"/\S+unsubscribed-from-campaigns-\S+\.csv", life["console"]).group()
	with open(path, newline="") as file:
		rows = list(csv.DictReader(file))
	assert [(row["email"], row["what"]) for row in rows] == [
		("gone@customers.example", "Withdrawn"),
		("left@customers.example", "Withdrawn"),
	]
	assert rows[0]["campaign"].startswith("Test ") and rows[0]["unsubscribed_on"]
	assert stat.S_IMODE(os.stat(path).st_mode) == 0o600
	unsubscribed = [row for row in life["rows"] if "`tabEmail Unsubscribe`" in row]
	assert len(unsubscribed) == 1 and "silent@customers.example" in unsubscribed[0]


def test_uninstalled_it_has_written_down_which_addresses_were_suppressed_and_keeps_no_password(life):
	path = re.search(r"/\S+suppressed-addresses-\S+\.csv", life["console"]).group()
	with open(path, newline="") as file:
		rows = list(csv.DictReader(file))
	assert [(row["address"], row["reason"]) for row in rows] == [("bounced@customers.example", "Hard bounce")]
	assert stat.S_IMODE(os.stat(path).st_mode) == 0o600
	assert not [row for row in life["rows"] if "`__Auth`" in row and "mailbox_password" in row]


def test_uninstalled_frappe_sends_the_templates_by_itself(life):
	sent = {mail["name"]: mail for mail in life["sent without it"]}
	designed = [mail for mail in sent.values() if "<!doctype html>" in mail["html"].lower()]
	assert len(designed) == 2 and "By Hand" in sent
	assert sorted(mail["subject"] for mail in designed) == ["Pin ends tomorrow", "Pin vence mañana"]
	assert sent["By Hand"]["subject"] == "Pin: tomorrow"
	for mail in sent.values():
		# Nothing that only the app fills in: no tag, no mark of a brand, no function of ours.
		assert not re.search(r"[{][{%]|%[}]|in_words|[\ue000-\uf8ff]", mail["subject"] + mail["html"]), mail[
			"name"
		]
		assert "Pin" in mail["subject"] and mail["queued"]
	(english,) = (mail for mail in designed if "tomorrow" in mail["subject"])
	for words in (
		"Time to renew",
		"it ends tomorrow",
		"You are our customer.",
		'href="https://a.example/SN-1"',
	):
		assert words in english["html"]
