// Records of recipients, placed as the door places them.

import type { Message } from "../../domain/message.ts";
import type { HoldRecord } from "../../domain/subject.ts";
import type { Engine } from "./engine.ts";

/** What every record of a message's recipient has; `others` are its pseudonyms under other key versions. */
export function recordFields(engine: Engine, message: Message, others: string[] = []) {
	return {
		tenantId: message.tenantId,
		subjects: [...others, message.subject.mac],
		at: engine.clock(),
		recordedAt: engine.clock(),
		recordedBy: "key_a",
	};
}

/** Places a hold on a message's recipient; the messages do not bear it yet. */
export async function placeHold(engine: Engine, message: Message, others: string[] = []): Promise<HoldRecord> {
	const record: HoldRecord = {
		...recordFields(engine, message, others),
		_id: engine.ids.random("hold"),
		kind: "hold",
		scope: "subject",
		ground: "litigation",
		nextCheckAt: engine.clock(),
	};
	await engine.store.subjectRecords.insert(record);
	return record;
}

/** Records a hold on all of a message's tenant; no message bears it yet. */
export async function placeTenantHold(
	engine: Engine,
	message: Message,
	more: Partial<HoldRecord> = {},
): Promise<HoldRecord> {
	const record: HoldRecord = {
		...recordFields(engine, message),
		_id: engine.ids.random("hold"),
		kind: "hold",
		scope: "tenant",
		ground: "litigation",
		subjects: [message.tenantId],
		nextCheckAt: engine.clock(),
		...more,
	};
	await engine.store.subjectRecords.insert(record);
	return record;
}
