"""Lists of addresses that get nothing, between this site and other tools: text in, entries of the suppression list out, and
back.

Read are CSV files as tools write them (their columns are found by their names), addresses one in a line, and our own export.
"""

import csv
import io
import re
from datetime import datetime
from typing import NamedTuple
from zoneinfo import ZoneInfo

import frappe
from frappe import _
from frappe.utils import get_datetime, get_system_timezone

from marketing_automation.channels.email.address import clean, is_address
from marketing_automation.engine import suppression
from marketing_automation.engine.suppression import BY_HAND, COMPLAINED, HARD_BOUNCE, IMPORTED, Added

MOST_LINES = 200_000
# So many lines that say nothing are shown.
SHOWN = 20
READ_AT_ONCE = 10_000
ADDED_AT_ONCE = 5000
# What tools call their columns, in small letters and without blanks and lines between the words.
# Of several the first one counts.
COLUMNS = {
	"address": (
		*("email", "emailaddress", "address", "recipient", "mail", "contactemail", "to"),
		*("correo", "correoelectronico", "direccion", "endereco", "emailendereco"),
	),
	"hash": ("hash",),
	"reason": ("reason", "why", "type", "bouncetype", "category", "suppressionreason", "motivo"),
	"since": (
		*("since", "created", "createdat", "date", "timestamp", "time", "lastupdatetime", "bouncedat"),
		*("unsubscribedat", "cleantime", "desde", "fecha", "data"),
	),
	"code": ("code", "errorcode", "statuscode", "codigo", "status"),
}
EXPORTED = ("address", "hash", "channel", "reason", "status", "since", "expires_at", "code", "source")
NUMBER = re.compile(r"\d{10}(\d{3})?")


class Listed(NamedTuple):
	"""What a text holds: entries to add, how many lines it leaves out because they suppress nothing, and those that say nothing."""

	entries: list[Added]
	left_out: int
	wrong: list[str]


def parse(text: str) -> Listed:
	"""Return what a list says. Throws for one that is too long, or that nothing is found in."""
	rows = [row for row in _rows(text) if any(cell.strip() for cell in row)]
	if len(rows) > MOST_LINES:
		frappe.throw(
			_("The list has more than {0} lines. Import it in parts.").format(MOST_LINES),
			title=_("List Too Long"),
		)
	columns = _columns(rows[0]) if rows else {}
	entries, wrong, left_out = [], [], 0
	for row in rows[1:] if columns else rows:
		found = _entry(row, columns)
		if found is None:
			wrong.append(" ".join(" ".join(row).split())[:140])
		elif found.reason == suppression.SOFT_BOUNCES:
			left_out += 1
		else:
			entries.append(found)
	if not entries and not left_out:
		frappe.throw(
			_(
				"No address is found in the list. Paste one address a line, or a CSV file with a column named email or address."
			),
			title=_("No Address"),
		)
	return Listed(entries, left_out, wrong)


def add(text: str, source: str) -> dict:
	"""Put the addresses of a text on the suppression list; return {"added", "known", "left_out", "wrong"}: how many are new,
	were there, are soft bounces, and the first lines that say nothing, with `more_wrong`, how many there are besides.

	source: Import or By hand. The caller commits. 4 queries for each ADDED_AT_ONCE entries, and the statements that write.
	"""
	listed = parse(text)
	added = known = 0
	for first in range(0, len(listed.entries), ADDED_AT_ONCE):
		some = listed.entries[first : first + ADDED_AT_ONCE]
		if source == BY_HAND:
			some = [entry._replace(reason=BY_HAND) for entry in some]
		new, there = suppression.add(some, source)
		added, known = added + new, known + there
	return {
		"added": added,
		"known": known,
		"left_out": listed.left_out,
		"wrong": listed.wrong[:SHOWN],
		"more_wrong": max(len(listed.wrong) - SHOWN, 0),
	}


def exported() -> tuple[str, int, int]:
	"""Return the list of what is suppressed as CSV, how many entries it has, and of how many the address is not known any
	more: those are there by their hash, which no other tool can use. 1 query for each READ_AT_ONCE entries."""
	file, last, count, nameless = io.StringIO(), "", 0, 0
	writer = csv.writer(file)
	writer.writerow(EXPORTED)
	while True:
		rows = frappe.get_all(
			suppression.DOCTYPE,
			filters={"status": suppression.SUPPRESSED, "name": [">", last]},
			fields=["name", *(field for field in EXPORTED if field != "hash")],
			order_by="name asc",
			limit_page_length=READ_AT_ONCE,
		)
		for row in rows:
			row.hash = row.name
			writer.writerow([row.get(field) or "" for field in EXPORTED])
			nameless += not row.address
		count += len(rows)
		if len(rows) < READ_AT_ONCE:
			return file.getvalue(), count, nameless
		last = rows[-1].name


def _rows(text: str) -> list[list[str]]:
	"""Return the cells of each line; what parts them is what most lines have of comma, semicolon and tab."""
	text = text.lstrip("\ufeff").replace("\0", "")
	first = text[:20_000]
	delimiter = max(",;\t", key=first.count)
	try:
		return list(csv.reader(io.StringIO(text, newline=""), delimiter=delimiter))
	except csv.Error as error:
		frappe.throw(
			_("This is no list that can be read: {0}").format(frappe.utils.escape_html(str(error))),
			title=_("No Address"),
		)


def _columns(row: list[str]) -> dict[str, int]:
	"""Return which column is what, by a first line without addresses; empty where that is none."""
	if any("@" in cell for cell in row):
		return {}
	named = [re.sub(r"[^a-z]", "", cell.lower().replace("ó", "o").replace("ç", "c")) for cell in row]
	found = {}
	for what, names in COLUMNS.items():
		if name := next((name for name in names if name in named), None):
			found[what] = named.index(name)
	return found if "address" in found or "hash" in found else {}


def _entry(row: list[str], columns: dict[str, int]) -> Added | None:
	"""Return what a line says, or None for one that says nothing. Without columns it is its first address."""

	def cell(what: str) -> str:
		number = columns.get(what)
		return row[number].strip() if number is not None and number < len(row) else ""

	if not columns:
		address = next((found for found in map(clean, row) if "@" in found and is_address(found)), None)
		return Added(address, None, IMPORTED) if address else None
	address, hashed = clean(cell("address")), cell("hash").lower()
	if address and not is_address(address):
		return None
	hashed = hashed if suppression.HASH.fullmatch(hashed) else None
	if not address and not hashed:
		return None
	code = cell("code")
	return Added(
		address or None,
		None if address else hashed,
		_reason(cell("reason"), code),
		_moment(cell("since")),
		code[:20] if re.fullmatch(r"[\d.]{3,20}", code) else None,
	)


def _reason(text: str, code: str) -> str:
	text = text.lower()
	if "soft" in text or code.startswith("4"):
		return suppression.SOFT_BOUNCES
	if re.search(r"complain|spam|abuse|queja|reclam", text):
		return COMPLAINED
	if re.search(r"bounce|hard|invalid|clean|undeliver|rebot|reject", text):
		return HARD_BOUNCE
	if text == BY_HAND.lower():
		return BY_HAND
	return IMPORTED


def _moment(text: str) -> datetime | None:
	"""Return when an entry was made, in the site's time zone; None where the text does not say."""
	if NUMBER.fullmatch(text):
		return _local(datetime.fromtimestamp(int(text[:10]), tz=ZoneInfo("UTC")))
	try:
		found = get_datetime(text) if text else None
	except (ValueError, OverflowError, frappe.ValidationError):
		frappe.clear_messages()
		return None
	if not found or found.year < 1990:
		return None
	return _local(found) if found.tzinfo else found


def _local(moment: datetime) -> datetime:
	return moment.astimezone(ZoneInfo(get_system_timezone())).replace(tzinfo=None)
