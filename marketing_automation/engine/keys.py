"""Secret keys of this site, each for one purpose: what it signs or hides goes on being readable after a restore.

They lie in a DocType that nobody has a right to. Not in a Password field: those are encrypted with the key of the site's
configuration, which another server does not have.
"""

import hashlib
import hmac
import secrets

import frappe

DOCTYPE = "Lifecycle Key"


def key(purpose: str) -> bytes | None:
	"""Return the key for a purpose, or None where none was made yet. 1 query in each request or job."""
	if not hasattr(frappe.local, "lifecycle_keys"):
		frappe.local.lifecycle_keys = {}
	known = frappe.local.lifecycle_keys
	if not known.get(purpose):
		value = frappe.db.get_value(DOCTYPE, purpose, "value")
		known[purpose] = bytes.fromhex(value) if value else None
	return known[purpose]


def make(purpose: str) -> bytes:
	"""Make the key for a purpose unless there is one, and return it. At most 3 queries. The caller commits."""
	found = key(purpose)
	if not found:
		new = frappe.get_doc({"doctype": DOCTYPE, "purpose": purpose, "value": secrets.token_hex(32)})
		# Whoever makes it at the same moment has made it for both: read with a lock, for this transaction may be older.
		new.insert(ignore_permissions=True, ignore_if_duplicate=True)
		value = frappe.db.get_value(DOCTYPE, purpose, "value", for_update=True)
		found = frappe.local.lifecycle_keys[purpose] = bytes.fromhex(value)
	return found


def digest(purpose: str, text: str) -> str | None:
	"""Return 32 hex digits that stand for a text, always the same on this site and nothing to anybody else.

	None where the purpose has no key. 1 query in each request or job.
	"""
	secret = key(purpose)
	return hmac.new(secret, text.encode(), hashlib.sha256).hexdigest()[:32] if secret else None
