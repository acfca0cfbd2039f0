"""What was handed over leaves: handles in, a job that lets their channel send them, closed ledger rows out.

The channel calls nothing of the engine that would call it: the job asks it to send, and then what became of it.
"""

import frappe

from marketing_automation.engine import closing, ledger
from marketing_automation.engine.channel import channel_for
from marketing_automation.engine.language import in_the_sites_language
from marketing_automation.engine.transaction import committed


def enqueue(action_type: str, handles: list[str]) -> None:
	"""Have background jobs send what a channel was handed, when that is committed."""
	at_once = channel_for(action_type).PER_JOB
	for first in range(0, len(handles), at_once):
		frappe.enqueue(
			send,
			queue="short",
			action_type=action_type,
			handles=handles[first : first + at_once],
			now=frappe.flags.in_test,
		)


@in_the_sites_language
def send(action_type: str, handles: list[str]) -> None:
	"""Let a channel send these of its messages, and close their ledger rows. The entry point of the job.

	What it has no time for, another job goes on with. What it could not send waits for `settle`.
	"""
	enqueue(action_type, channel_for(action_type).dispatch(handles))
	committed(ledger.refresh_soon, closing.close(action_type, handles))
