// Whether a hold on a period or on all of a tenant keeps a message, whether it bears the hold yet or not.

import type { Message } from "../domain/message.ts";
import { keepsOf, standingOf } from "../domain/subject.ts";
import type { ActivityDeps } from "./deps.ts";

export type IsKeptDeps = { store: { subjectRecords: Pick<ActivityDeps["store"]["subjectRecords"], "findBySubjects"> } };

/** As recorded now: ask just before what can't be taken back. @throws LetheError store_unavailable */
export async function isKept(
	{ store }: IsKeptDeps,
	{ tenantId, acceptedAt }: Pick<Message, "tenantId" | "acceptedAt">,
): Promise<boolean> {
	const records = await store.subjectRecords.findBySubjects([tenantId]);
	return keepsOf(standingOf(records, tenantId), acceptedAt).length > 0;
}
