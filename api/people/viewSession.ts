// A session as it is shown.

import type { Person, Session } from "../../domain/person.ts";

export function viewSession(
	{ id, personId, tenantId, method, startedAt, mfaAt }: Session,
	{ roles }: Pick<Person, "roles">,
	{ endsAt, idleEndsAt }: { endsAt: number; idleEndsAt: number },
) {
	return {
		...{ id, personId, tenantId, roles, method },
		startedAt: formatTime(startedAt),
		mfaAt: formatTime(mfaAt),
		endsAt: formatTime(endsAt),
		idleEndsAt: formatTime(Math.min(endsAt, idleEndsAt)),
	};
}

export function formatTime(at: number): string {
	return new Date(at).toISOString();
}
