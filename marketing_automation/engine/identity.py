"""Which site this is: a copy of it, made for a trial or from a backup, writes to nobody until somebody says so.

Sending is bound to what a copy does not share with its original. What a site keeps when its containers, workers or
addresses change is not among it: all processes of a site see the same.
"""

import re
from hashlib import sha256
from pathlib import Path

import frappe
from frappe import _
from frappe.utils.password import get_encryption_key

from marketing_automation.engine import settings
from marketing_automation.engine.settings import SETTINGS

FIELD = "bound_to"
# The name that a container gets by itself, and another one when it is made anew.
CONTAINER = re.compile(r"[0-9a-f]{12}")


def fingerprint() -> str:
	"""Return the identity of this site, as hex digits. 1 query in each process.

	Its folder and its database (a restore into another site has others), its encryption key (a new site makes its own),
	and the machine of its database server (whoever copies a whole machine).
	"""
	if not hasattr(frappe.local, "lifecycle_database_host"):
		((host,),) = frappe.db.sql("select @@hostname")
		frappe.local.lifecycle_database_host = "" if CONTAINER.fullmatch(host) else host
	parts = (
		# By its folder: a site may answer to several names, each a link to it.
		Path(frappe.get_site_path()).resolve().name,
		frappe.conf.db_name,
		get_encryption_key(),
		frappe.local.lifecycle_database_host,
	)
	return sha256("\x1f".join(parts).encode()).hexdigest()[:32]


def is_copy() -> bool:
	"""Say whether sending is bound to another site than this one. At most 1 query."""
	bound = settings.stored().get(FIELD)
	return bool(bound) and bound != fingerprint()


def bind() -> None:
	"""Bind sending to this site: at installation, with the first run, and when somebody says that it is the real one.

	2 queries. The caller commits.
	"""
	frappe.db.set_single_value(SETTINGS, FIELD, fingerprint(), update_modified=False)


def bind_if_new() -> None:
	"""Bind sending to this site unless it is bound already. The caller commits."""
	if not frappe.db.get_singles_dict(SETTINGS).get(FIELD):
		bind()


def explanation() -> str:
	"""Return what a screen says on a copy."""
	return _(
		"This site is a copy of another one, restored from a backup or moved, so it sends nothing to customers. On a copy for trials leave it like this. If this is now the real site, say so in the bar of a campaign."
	)
