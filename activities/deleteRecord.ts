// A message's last trace goes, once the evidence log has all that it carries.

import type { Message } from "../domain/message.ts";
import type { ActivityDeps } from "./deps.ts";
import { ensureIntegrated } from "./integrate.ts";
import { type IsKeptDeps, isKept } from "./isKept.ts";

type DeleteRecordDeps = Pick<ActivityDeps, "evidence"> &
	IsKeptDeps & { store: { messages: Pick<ActivityDeps["store"]["messages"], "deleteRecord" | "transition"> } };

/** Does nothing while the message is open, or held, whether it bears the hold yet or not. @throws LetheError store_unavailable */
export async function deleteRecord(deps: DeleteRecordDeps, message: Message): Promise<void> {
	const { _id, tenantId } = message;
	if (message.holds.length > 0 || !(await ensureIntegrated(deps, message))) return;
	// Last: what is entered in the log is to happen.
	if (await isKept(deps, message)) return;
	await deps.evidence.append([{ type: "record_erased", code: "decision_record", tenantId, about: _id, by: "engine" }]);
	await deps.store.messages.deleteRecord(_id);
}
