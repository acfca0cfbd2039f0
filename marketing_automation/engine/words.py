"""What the ledger's words are called where somebody reads them: a status or a reason in, a text in their language out.

The ledger keeps its own words, which are good for every channel; `public/js/lifecycle.js` says the same on screens.
"""

from frappe import _

from marketing_automation.engine.model import COMPLETED, FAILED, Reason


def of_status(status: str) -> str:
	"""Return what became of a message, in words."""
	words = {
		COMPLETED: _("Sent", context="Lifecycle Execution Log"),
		FAILED: _("Failed", context="Lifecycle Execution Log"),
	}
	return words.get(status) or _(status)


def of_reason(reason: str) -> str:
	"""Return why a message was not sent, in words."""
	words = {
		Reason.NOT_FOUND: _("Not found", context="Lifecycle Execution Log"),
		Reason.RETURNED: _("Product returned"),
		Reason.MISSED: _("Night missed"),
		Reason.UNSUBSCRIBED: _("Unsubscribed", context="Lifecycle"),
		Reason.BOUNCED: _("Bounced", context="Lifecycle Execution Log"),
	}
	return words.get(reason) or _(reason)
