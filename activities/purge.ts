// A cohort's end, step by step; every step may be repeated, by two workers at once, and after a kill at any point.

import type { Cohort } from "../adapters/mongo/models.ts";
import { LetheError } from "../domain/errors.ts";
import { isFinal } from "../domain/lifecycle.ts";
import { limits } from "../domain/limits.ts";
import { type Message, type SealedObjectName, sealedObjects } from "../domain/message.ts";
import { close, eraseObjects } from "../domain/transition.ts";
import type { Purged } from "../workflows/contract.ts";
import { certifyErased, type Erased } from "./certify.ts";
import { change } from "./change.ts";
import type { ActivityDeps } from "./deps.ts";

export type PurgeDeps = Pick<
	ActivityDeps,
	"clock" | "ids" | "certificates" | "cohortKeys" | "encryption" | "evidence"
> & {
	store: Pick<ActivityDeps["store"], "cohorts" | "messages" | "wrappingKeys" | "parkedReceipts" | "certificates">;
	runs: Pick<ActivityDeps["runs"], "settleSoon">;
};

/** The steps of the purge workflow. */
export function createPurge(deps: PurgeDeps) {
	const { cohorts, messages } = deps.store;

	/** open → closing, once it is due and nothing holds it. The cohort is the lock: no insert may join it afterwards. */
	async function closeCohort(cohortId: string): Promise<boolean> {
		const cohort = await cohorts.find(cohortId);
		const now = deps.clock();
		if (!cohort || cohort.state === "destroyed") return false;
		if (cohort.state === "closing") return true;
		if (now < cohort.dueAt && !(await mayEndEarly(deps, cohort, now))) return false;
		if (await cohorts.advance(cohortId, "open", "closing")) return true;
		await cohorts.nextCheck(cohortId, now + limits.heldCohortCheckMs);
		return (await cohorts.find(cohortId))?.state === "closing";
	}

	/**
	 * Erases one page of ciphertext with its wrapped keys, reads it back and certifies it; `count` is of what is gone, and 0
	 * when nothing is left that goes.
	 */
	async function erasePage(cohortId: string): Promise<{ count: number }> {
		const cohort = await cohorts.find(cohortId);
		if (cohort?.state !== "closing") return { count: 0 };
		const erased: Erased[] = [];
		for (const object of sealedObjects) {
			const page = await messages.findSealedIn(cohortId, object, limits.purgePageItems);
			erased.push(...(await Promise.all(page.map((member) => eraseObject(deps, member, object, cohort)))).flat());
		}
		await certifyErased(deps, { kind: "purge", tenantId: cohort.tenantId, about: cohortId }, erased);
		return { count: erased.filter(({ verified }) => verified).length };
	}

	/** Destroys the cohort's key once no member has ciphertext in it, and certifies that. */
	async function destroyCohort(cohortId: string): Promise<Pick<Purged, "outcome">> {
		const cohort = await cohorts.find(cohortId);
		if (!cohort || cohort.state === "destroyed") return { outcome: "destroyed" };
		if (cohort.state !== "closing" || (await messages.countSealedIn(cohortId)) > 0) {
			await cohorts.nextCheck(cohortId, deps.clock() + limits.heldCohortCheckMs);
			return { outcome: "waiting" };
		}
		await deps.store.parkedReceipts.eraseCohort(cohortId);
		await deps.evidence.append([
			{ type: "cohort_key_destroyed", tenantId: cohort.tenantId, about: cohortId, by: "engine" },
		]);
		await deps.cohortKeys.destroyCohortKey(cohortId);
		await deps.store.wrappingKeys.deleteByCohort(cohortId);
		deps.encryption.forgetCohort(cohortId);
		// Another eraser's late request may have written the key back: only a key that stays gone is certified.
		if (await deps.cohortKeys.exists(cohortId)) throw new LetheError("keys_unavailable", { cause: "key came back" });
		const destroyedAt = deps.clock();
		const id = await certifyCohort(deps, cohort, destroyedAt);
		await cohorts.advance(cohortId, "closing", "destroyed", { destroyedAt, certificates: [id] });
		await cohorts.nextCheck(cohortId, undefined);
		return { outcome: "destroyed" };
	}

	return { closeCohort, erasePage, destroyCohort };
}

/**
 * Whether a cohort that its members have left for others may end before its time: once the last of them is due under the
 * policies of today, none is left, and nobody can still be about to join it.
 */
async function mayEndEarly(deps: PurgeDeps, cohort: Cohort, now: number): Promise<boolean> {
	const { cohorts, messages } = deps.store;
	const { _id, dueAt, leftDueAt, leftAt = 0, retiredAt } = cohort;
	const lookAgain = async (at: number) => {
		await cohorts.nextCheck(_id, Math.min(at, dueAt));
		return false;
	};
	if (leftDueAt === undefined) return false;
	if (now < leftDueAt) return lookAgain(leftDueAt);
	if ((await messages.countSealedIn(_id)) > 0) {
		// Others may still be leaving; after that, what is left keeps it to its own time.
		return lookAgain(now < leftAt + limits.cohortLeavingMs ? now + limits.cohortLeftCheckMs : dueAt);
	}
	if (retiredAt === undefined) {
		await cohorts.retire(_id, now);
		return lookAgain(now + limits.cohortRetireMs);
	}
	return now < retiredAt + limits.cohortRetireMs ? lookAgain(retiredAt + limits.cohortRetireMs) : true;
}

async function eraseObject(
	deps: PurgeDeps,
	{ _id: messageId, state }: Pick<Message, "_id" | "state">,
	object: SealedObjectName,
	cohort: Cohort,
): Promise<Erased[]> {
	const { messages } = deps.store;
	const now = deps.clock();
	// A cohort ends after its members' close; one that is open still was missed by every driver.
	const ended = isFinal(state) ? undefined : await change(messages, messageId, (message) => close(message, now));
	if (ended) deps.runs.settleSoon(ended.before);
	await change(messages, messageId, (message) => {
		const isMember = message[object]?.cohortId === cohort._id;
		return isFinal(message.state) && isMember && message.holds.length === 0
			? eraseObjects(message, [object], now, { [`${object}.cohortId`]: cohort._id })
			: undefined;
	});
	const stored = await messages.find(messageId);
	const erasedAt = stored?.retention[object]?.erasedAt;
	if (!stored || erasedAt === undefined) return [];
	const verified = stored[object] === undefined;
	return [{ messageId, object, erasedAt, verified, cohortId: cohort._id, keyDueAt: cohort.dueAt, stored }];
}

async function certifyCohort(
	deps: PurgeDeps,
	cohort: { _id: string; tenantId: string; dueAt: number },
	destroyedAt: number,
): Promise<string> {
	const id = deps.ids.derive("certificate", cohort._id);
	await insertCertificate(deps, id, cohort, [
		{
			object: "cohort_key" as const,
			erasedAt: destroyedAt,
			verified: true,
			cohortId: cohort._id,
			keyDestroyedAt: destroyedAt,
			keyDueAt: cohort.dueAt,
		},
	]);
	return id;
}

async function insertCertificate(
	deps: Pick<PurgeDeps, "clock" | "certificates"> & { store: Pick<PurgeDeps["store"], "certificates"> },
	id: string,
	cohort: { _id: string; tenantId: string },
	objects: Parameters<PurgeDeps["certificates"]["issue"]>[0]["objects"],
): Promise<void> {
	const { jws, payload } = await deps.certificates.issue({ id, kind: "purge", tenantId: cohort.tenantId, objects });
	await deps.store.certificates.insert({
		_id: id,
		tenantId: cohort.tenantId,
		kind: "purge",
		about: cohort._id,
		jws,
		issuedAt: Date.parse(payload.issuedAt),
	});
}
