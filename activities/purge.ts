// A cohort's end, step by step; every step may be repeated, by two workers at once, and after a kill at any point.

import type { Cohort } from "../adapters/mongo/models.ts";
import { LetheError } from "../domain/errors.ts";
import { limits } from "../domain/limits.ts";
import { sealedObjects } from "../domain/message.ts";
import type { Purged } from "../workflows/contract.ts";
import type { ActivityDeps } from "./deps.ts";
import { createDropEndedHolds } from "./dropEndedHolds.ts";
import { isHeldBack } from "./isHeldBack.ts";
import { issueCertificate } from "./issueCertificate.ts";
import { createKeepHeld } from "./keepHeld.ts";
import { createPurgePages } from "./purgePages.ts";

export type PurgeDeps = Pick<
	ActivityDeps,
	"clock" | "ids" | "log" | "certificates" | "cohorts" | "cohortKeys" | "encryption" | "evidence"
> & {
	store: Pick<
		ActivityDeps["store"],
		| "cohorts"
		| "messages"
		| "wrappingKeys"
		| "parkedReceipts"
		| "purgePages"
		| "certificates"
		| "subjectRecords"
		| "subjectMessages"
	>;
	runs: Pick<ActivityDeps["runs"], "settleSoon">;
};

/** The steps of the purge workflow. */
export function createPurge(deps: PurgeDeps) {
	const { cohorts } = deps.store;
	const pages = createPurgePages(deps);
	const keepHeld = createKeepHeld({ ...deps, endOpen: pages.endOpen, dropEndedHolds: createDropEndedHolds(deps) });

	/** open → closing, once it is due. The cohort is the lock: no insert may join it afterwards. */
	async function closeCohort(cohortId: string): Promise<boolean> {
		const cohort = await cohorts.find(cohortId);
		const now = deps.clock();
		if (!cohort) return false;
		if (cohort.state === "destroyed") {
			await cohorts.nextCheck(cohortId, undefined);
			return false;
		}
		if (cohort.state !== "open") return true;
		if (cohort.holdId !== undefined) return closeHoldKey(deps, cohort, cohort.holdId, now);
		if (now < cohort.dueAt && !(await mayEndEarly(deps, cohort, now))) return false;
		if (await cohorts.advance(cohortId, "open", "closing")) return true;
		await cohorts.nextCheck(cohortId, now + limits.heldCohortCheckMs);
		return (await cohorts.find(cohortId))?.state === "closing";
	}

	/**
	 * Erases some pages of ciphertext with its wrapped keys, reads them back and certifies them; then, page by page, keeps
	 * what is held under its hold's key. `count` is of what is gone from the cohort, and 0 when nothing is left that goes.
	 */
	async function erasePage(cohortId: string): Promise<{ count: number }> {
		const cohort = await cohorts.find(cohortId);
		if (cohort?.state !== "closing") return { count: 0 };
		if (await isHeldBack(deps, cohort)) return { count: 0 };
		const erased = await pages.erasePages(cohort);
		if (erased > 0) return { count: erased };
		let kept = 0;
		for (const object of sealedObjects) kept += await keepHeld(cohort, object, limits.purgePageItems);
		return { count: kept };
	}

	/**
	 * Destroys the cohort's key in two stages, and certifies that: it is condemned when nothing is found that needs it,
	 * and destroyed when nothing is found once more.
	 */
	async function destroyCohort(cohortId: string): Promise<Pick<Purged, "outcome">> {
		const cohort = await cohorts.find(cohortId);
		if (!cohort || cohort.state === "destroyed") return { outcome: "destroyed" };
		const now = deps.clock();
		const wait = async (at: number) => {
			await cohorts.nextCheck(cohortId, at);
			return { outcome: "waiting" as const };
		};
		if (cohort.state === "open") return wait(now + limits.heldCohortCheckMs);
		const isEmpty = (await deps.store.messages.countSealedIn(cohortId)) === 0;
		await pages.finishPages(cohort, isEmpty);
		// Whoever saw the hold before its release may still be about to keep something under its key.
		const restsUntil = cohort.holdId === undefined ? 0 : cohort.dueAt + limits.cohortRetireMs;
		if (isEmpty && now < restsUntil) return wait(restsUntil);
		if (isEmpty && cohort.state === "closing") await cohorts.advance(cohortId, "closing", "condemned");
		await deps.store.parkedReceipts.eraseCohort(cohortId);
		if (!isEmpty || (await isNeeded(deps, cohortId))) {
			await cohorts.advance(cohortId, "condemned", "closing");
			return wait(now + limits.heldCohortCheckMs);
		}
		await destroyKey(deps, cohort);
		return { outcome: "destroyed" };
	}

	return { closeCohort, erasePage, destroyCohort };
}

async function isNeeded({ store }: PurgeDeps, cohortId: string): Promise<boolean> {
	const members = await store.messages.countSealedIn(cohortId);
	return members + (await store.parkedReceipts.countIn(cohortId)) > 0;
}

async function destroyKey(deps: PurgeDeps, cohort: Cohort): Promise<void> {
	const { _id: cohortId } = cohort;
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
	await deps.store.cohorts.advance(cohortId, "condemned", "destroyed", { destroyedAt, certificates: [id] });
	await deps.store.cohorts.nextCheck(cohortId, undefined);
}

/** A hold's key ends with the hold: what it still keeps then is erased, or kept by another hold. */
async function closeHoldKey(deps: PurgeDeps, { _id }: Cohort, holdId: string, now: number): Promise<boolean> {
	const { cohorts, subjectRecords } = deps.store;
	const record = await subjectRecords.find(holdId);
	if (record?.kind === "hold" && !record.ended) {
		await cohorts.nextCheck(_id, now + limits.holdKeyCheckMs);
		return false;
	}
	// It rests from now on, whatever was said of its end before.
	if (await cohorts.advance(_id, "open", "closing", { dueAt: now })) return true;
	return (await cohorts.find(_id))?.state === "closing";
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

async function certifyCohort(deps: PurgeDeps, cohort: Cohort, destroyedAt: number): Promise<string> {
	const { _id: cohortId, tenantId, dueAt: keyDueAt } = cohort;
	const id = deps.ids.derive("certificate", cohortId);
	const key = { object: "cohort_key", erasedAt: destroyedAt, verified: true, cohortId } as const;
	const objects = [{ ...key, keyDestroyedAt: destroyedAt, keyDueAt }];
	await issueCertificate(deps, { id, kind: "purge", tenantId, about: cohortId, objects, carrierCopies: [] });
	return id;
}
