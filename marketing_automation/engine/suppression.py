"""The suppression list: addresses in, what keeps each from being written to out. Only this module writes Lifecycle
Suppression.

An address stands there as a keyed hash, which is all that a lookup needs. The address itself and what its server said
are kept for as long as a person may have to look at them (`keep_addresses_days`), and cleared then.
"""

import hmac
import re
from collections.abc import Iterable
from datetime import datetime, timedelta
from hashlib import sha256
from typing import NamedTuple

import frappe
from frappe import _
from frappe.utils import create_batch, now_datetime

from marketing_automation.engine import long_lists
from marketing_automation.engine.secrets import key
from marketing_automation.engine.settings import limit

DOCTYPE = "Lifecycle Suppression"
EMAIL = "Email"

# What a finding says of its address.
HARD, SOFT, COMPLAINT = "hard", "soft", "complaint"

# Statuses of an entry.
COUNTING, SUPPRESSED, EXPIRED, LIFTED = "Counting", "Suppressed", "Expired", "Lifted"

HARD_BOUNCE, SOFT_BOUNCES, COMPLAINED = "Hard bounce", "Soft bounces", "Complaint"
IMPORTED, BY_HAND = "Imported", "By hand"
# What says more takes the place of what says less, never the other way round.
WEIGHT = {None: 0, "": 0, SOFT_BOUNCES: 1, IMPORTED: 2, HARD_BOUNCE: 3, BY_HAND: 4, COMPLAINED: 5}

HASH = re.compile(r"[0-9a-f]{32}")
WRITTEN_AT_ONCE = 500
LONGEST_WORDS = 500
# What an entry is made of, besides its name.
FIELDS = (
	*("address", "address_until", "channel", "status", "reason", "since", "expires_at"),
	*("source", "message", "message_id", "code", "words", "soft_bounces", "counted", "last_at"),
	*("lifted_at", "lifted_by", "lift_reason"),
)


class Finding(NamedTuple):
	"""What one message says of an address.

	kind: HARD, SOFT or COMPLAINT. at: when that was said, in the site's time zone. message_id: what tells messages apart,
	so that a soft bounce counts once for each. message: the row of the ledger, where it was one of ours. source: one of
	the options of Lifecycle Suppression.source.
	"""

	address: str
	kind: str
	at: datetime
	source: str
	code: str | None = None
	words: str | None = None
	message_id: str | None = None
	message: str | None = None


class Limits(NamedTuple):
	"""The settings: so many soft bounces suppress, each is forgotten after so many days, and addresses after so many."""

	soft_bounces: int
	soft_days: int
	address_days: int


class Held(NamedTuple):
	"""What keeps an address from being written to: the entry's name and its reason."""

	name: str
	reason: str


def limits() -> Limits:
	"""Return the settings. 3 queries."""
	return Limits(limit("soft_bounces"), limit("soft_bounce_days"), limit("keep_addresses_days"))


def normalised(address: str) -> str:
	"""Return an address as it is compared: two that differ in their letters' case are one to nearly every server."""
	return address.strip().lower()


def hash_of(address: str, channel: str = EMAIL) -> str:
	"""Return the keyed hash of an address: 32 hex digits, the name of its entry. At most 1 query in each process.

	Without the key nobody can try addresses until one fits.
	"""
	text = f"{channel}\x1f{normalised(address)}".encode("utf-8", "surrogatepass")
	return hmac.digest(key(), text, "sha256").hex()[:32]


def suppressed(addresses: Iterable[str], now: datetime, channel: str = EMAIL) -> dict[str, Held]:
	"""Return {address: what keeps it from being written to} of those that are on the list. 1 query."""
	hashes = {hash_of(address, channel): address for address in addresses if address}
	if not hashes:
		return {}
	table = frappe.qb.DocType(DOCTYPE)
	query = (
		frappe.qb.from_(table)
		.select(table.name, table.reason)
		.where(long_lists.among(table.name, "hashes"))
		.where(table.status == SUPPRESSED)
		.where(table.expires_at.isnull() | (table.expires_at > now))
	)
	found = {name: Held(name, reason) for name, reason in long_lists.run(query, hashes=hashes)}
	# Two ways to write an address have one hash.
	return {
		address: found[hashed]
		for address in addresses
		if address and (hashed := hash_of(address, channel)) in found
	}


def record(findings: list[Finding], channel: str = EMAIL) -> list[str | None]:
	"""Write down what messages say of addresses; return the name of the entry of each, None of what changes nothing.

	Soft bounces count once a message, however often this is called with them. What is older than the day on which an
	administrator has lifted an entry changes nothing of it. The caller commits. 4 queries, and one for each
	WRITTEN_AT_ONCE entries.
	"""
	if not findings:
		return []
	now, given = now_datetime(), limits()
	hashes = [hash_of(finding.address, channel) for finding in findings]
	entries = _locked(set(hashes))
	names, changed = [], {}
	for hashed, finding in zip(hashes, findings, strict=True):
		before = changed.get(hashed) or entries.get(hashed)
		after = judged(before, finding, given, now)
		if after:
			changed[hashed] = {**(before or {}), **after, "channel": channel}
		names.append(hashed if after or (before and before["status"] in (SUPPRESSED, COUNTING)) else None)
	_write(changed, now)
	return names


def judged(entry: dict | None, finding: Finding, given: Limits, now: datetime) -> dict | None:
	"""Return the fields of an entry that a finding changes, or None if it changes none. Pure.

	entry: what is known of the address so far, or None.
	"""
	entry = entry or {}
	at = min(finding.at, now)
	if entry.get("lifted_at") and at <= entry["lifted_at"]:
		return None
	stands = entry.get("status") == SUPPRESSED and (not entry.get("expires_at") or entry["expires_at"] > now)
	evidence = {
		"address": normalised(finding.address)[:140],
		"address_until": (now + timedelta(days=given.address_days)).date(),
		"source": finding.source,
		"message": finding.message,
		"message_id": (finding.message_id or "")[:140] or None,
		"code": finding.code,
		"words": (finding.words or "")[:LONGEST_WORDS] or None,
		"last_at": at,
	}
	if finding.kind != SOFT:
		reason = COMPLAINED if finding.kind == COMPLAINT else HARD_BOUNCE
		if stands and WEIGHT[entry.get("reason")] >= WEIGHT[reason]:
			return None
		return {
			**evidence,
			"status": SUPPRESSED,
			"reason": reason,
			"since": at,
			"expires_at": None,
			"soft_bounces": 0,
			"counted": None,
		}
	expires = at + timedelta(days=given.soft_days)
	if expires <= now or (stands and entry.get("reason") != SOFT_BOUNCES):
		# Too long ago to count, or nothing that is not known.
		return None
	alive = (
		entry.get("status") in (COUNTING, SUPPRESSED)
		and entry.get("expires_at")
		and entry["expires_at"] > now
	)
	counted = (entry.get("counted") or "").split() if alive else []
	mark = _mark(finding)
	if mark in counted:
		return None
	counted.append(mark)
	status = SUPPRESSED if len(counted) >= given.soft_bounces else COUNTING
	return {
		**evidence,
		"status": status,
		"reason": SOFT_BOUNCES,
		"since": entry["since"] if alive and status == entry["status"] else at,
		"expires_at": max(expires, entry["expires_at"]) if alive else expires,
		"soft_bounces": len(counted),
		# No more than it takes: what is on the list already need not be counted on for ever.
		"counted": " ".join(counted[-max(given.soft_bounces, 20) :]),
	}


def _mark(finding: Finding) -> str:
	"""Return what tells the message of a soft bounce from others, short."""
	text = finding.message_id or f"{finding.at.isoformat()} {finding.words}"
	return sha256(text.encode("utf-8", "replace")).hexdigest()[:12]


class Added(NamedTuple):
	"""What is put on the list by hand or from another tool: an address, or the hash of one of ours."""

	address: str | None
	hashed: str | None
	reason: str
	since: datetime | None = None
	code: str | None = None


def add(entries: list[Added], source: str, words: str | None = None, channel: str = EMAIL) -> tuple[int, int]:
	"""Put addresses on the list; return how many are new there, and how many were there already.

	One that was lifted is on it again: whoever adds it says so. The caller commits. 4 queries, and one for each
	WRITTEN_AT_ONCE entries.
	"""
	now, given = now_datetime(), limits()
	by_hash = {}
	for entry in entries:
		by_hash.setdefault(entry.hashed or hash_of(entry.address, channel), entry)
	known = _locked(set(by_hash))
	changed = {}
	for hashed, entry in by_hash.items():
		before = known.get(hashed) or {}
		stands = before.get("status") == SUPPRESSED and not before.get("expires_at")
		if stands and WEIGHT[before.get("reason")] >= WEIGHT[entry.reason]:
			continue
		changed[hashed] = {
			**before,
			"channel": channel,
			"address": normalised(entry.address)[:140] if entry.address else before.get("address"),
			"address_until": (now + timedelta(days=given.address_days)).date(),
			"status": SUPPRESSED,
			"reason": entry.reason,
			"since": min(entry.since or now, now),
			"expires_at": None,
			"source": source,
			"message": None,
			"message_id": None,
			"code": entry.code,
			"words": (words or "")[:LONGEST_WORDS] or None,
			"soft_bounces": 0,
			"counted": None,
		}
	_write(changed, now)
	return len(changed), len(by_hash) - len(changed)


def lift(name: str, why: str) -> None:
	"""Take an entry off the list: its address is written to again, until something new speaks against it.

	Who lifted it, when and why stays with the entry, of each time in a comment. The queries of two documents. The caller
	commits.
	"""
	now = now_datetime()
	entry = frappe.get_doc(DOCTYPE, name)
	frappe.db.set_value(
		DOCTYPE,
		name,
		{
			"status": LIFTED,
			"expires_at": None,
			"soft_bounces": 0,
			"counted": None,
			"lifted_at": now,
			"lifted_by": frappe.session.user,
			"lift_reason": why[:LONGEST_WORDS],
		},
	)
	entry.add_comment("Info", _("Lifted ({0}): {1}").format(_(entry.reason), frappe.utils.escape_html(why)))


def clear(now: datetime | None = None) -> None:
	"""Forget what is not needed any more: addresses and words whose time is over, and soft bounces that have expired.

	The caller commits. 3 queries.
	"""
	now = now or now_datetime()
	parameters = {"now": now, "today": now.date()}
	frappe.db.sql(
		f"delete from `tab{DOCTYPE}` where status = '{COUNTING}' and expires_at <= %(now)s and lifted_at is null",
		parameters,
	)
	frappe.db.sql(
		f"update `tab{DOCTYPE}` set status = '{EXPIRED}', soft_bounces = 0, counted = null"
		f" where status in ('{SUPPRESSED}', '{COUNTING}') and expires_at <= %(now)s",
		parameters,
	)
	frappe.db.sql(
		f"update `tab{DOCTYPE}` set address = null, words = null"
		" where address_until < %(today)s and (address is not null or words is not null)",
		parameters,
	)


def forget(address: str, channel: str = EMAIL) -> None:
	"""Clear an address and what was said of it, because its owner asks for that; its hash goes on protecting it. 1 query."""
	frappe.db.set_value(
		DOCTYPE, {"name": hash_of(address, channel)}, {"address": None, "words": None}, update_modified=False
	)


def _locked(names: set[str]) -> dict[str, dict]:
	"""Return {name: entry} of those that there are, locked until the caller commits. 1 query."""
	columns = ", ".join(f"`{field}`" for field in ("name", *FIELDS))
	rows = frappe.db.sql(
		f"select {columns} from `tab{DOCTYPE}` where name in %(names)s order by name for update",
		{"names": sorted(names) or [""]},
		as_dict=True,
	)
	return {row.name: row for row in rows}


def _write(entries: dict[str, dict], now: datetime) -> None:
	"""Insert these entries, or overwrite those that there are. 1 query for each WRITTEN_AT_ONCE."""
	columns = ("name", "creation", "modified", "owner", "modified_by", *FIELDS)
	user = frappe.session.user
	statement = (
		f"insert into `tab{DOCTYPE}` ({', '.join(f'`{column}`' for column in columns)}) values {{}}"
		" on duplicate key update "
		+ ", ".join(f"`{column}` = values(`{column}`)" for column in ("modified", "modified_by", *FIELDS))
	)
	place = "(" + ", ".join(["%s"] * len(columns)) + ")"
	for some in create_batch(sorted(entries.items()), WRITTEN_AT_ONCE):
		values = []
		for name, entry in some:
			row = {**entry, "soft_bounces": entry.get("soft_bounces") or 0}
			values += [name, now, now, user, user, *(row.get(field) for field in FIELDS)]
		frappe.db.sql(statement.format(", ".join([place] * len(some))), values)
