// Whether a hold on all of a tenant is still being placed: until each message that it covers bears it, none of the tenant's goes.

import { isBeingPlaced } from "../domain/subject.ts";
import type { IsKeptDeps } from "./isKept.ts";

/** As recorded now: ask just before what can't be taken back. @throws LetheError store_unavailable */
export async function isHeldBack({ store }: IsKeptDeps, { tenantId }: { tenantId: string }): Promise<boolean> {
	return isBeingPlaced(await store.subjectRecords.findBySubjects([tenantId]), tenantId);
}
