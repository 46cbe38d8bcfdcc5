// A session as it is shown.

import { formatTime } from "../../domain/formatTime.ts";
import { rolesInForce, type Session } from "../../domain/person.ts";

export function viewSession(
	{ id, personId, tenantId, method, startedAt, mfaAt }: Session,
	person: Parameters<typeof rolesInForce>[0],
	{ endsAt, idleEndsAt }: { endsAt: number; idleEndsAt: number },
) {
	return {
		...{ id, personId, tenantId, roles: rolesInForce(person), method },
		startedAt: formatTime(startedAt),
		mfaAt: formatTime(mfaAt),
		endsAt: formatTime(endsAt),
		idleEndsAt: formatTime(Math.min(endsAt, idleEndsAt)),
	};
}
