"""The key of this site's hashes and signatures: made once, kept in the database, read by no role.

A site's encryption key is made anew when its backup is restored elsewhere. This one comes back with the rows that were
made with it, so hashes of addresses and links in mails that were sent stay good.
"""

import secrets

import frappe
from frappe import _

DOCTYPE = "Lifecycle Secret"
FIELD = "key"
BYTES = 32


def key() -> bytes:
	"""Return the key, 32 bytes. 1 query in each process; throws where the app was not installed to its end."""
	if not hasattr(frappe.local, "lifecycle_key"):
		text = frappe.db.get_singles_dict(DOCTYPE).get(FIELD)
		if not text:
			frappe.throw(
				_(
					"The key of signed links and of the suppression list is missing. Ask your administrator to run bench migrate."
				),
				title=_("Installation Incomplete"),
			)
		frappe.local.lifecycle_key = bytes.fromhex(text)
	return frappe.local.lifecycle_key


def make() -> None:
	"""Make the key where there is none: at installation, and in a patch. Never makes another. The caller commits."""
	if not frappe.db.get_singles_dict(DOCTYPE).get(FIELD):
		frappe.db.set_single_value(DOCTYPE, FIELD, secrets.token_hex(BYTES), update_modified=False)
