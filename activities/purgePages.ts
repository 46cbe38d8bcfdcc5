// A purge's pages: noted, erased in one write, read back, certified. Each step may be repeated, and by two workers at once.

import type { Cohort, PurgePage } from "../adapters/mongo/models.ts";
import { carrierCopyOf } from "../domain/carrierCopy.ts";
import { isFinal } from "../domain/lifecycle.ts";
import { limits } from "../domain/limits.ts";
import { type Message, type SealedObjectName, sealedObjects } from "../domain/message.ts";
import { close } from "../domain/transition.ts";
import { change } from "./change.ts";
import type { ActivityDeps } from "./deps.ts";
import { isHeldBack } from "./isHeldBack.ts";
import { issueCertificate } from "./issueCertificate.ts";
import { readKeyDates } from "./keyDates.ts";

export type PurgePagesDeps = Pick<ActivityDeps, "clock" | "ids" | "certificates" | "evidence"> & {
	store: Pick<ActivityDeps["store"], "cohorts" | "messages" | "purgePages" | "certificates" | "subjectRecords">;
	runs: Pick<ActivityDeps["runs"], "settleSoon">;
};

export function createPurgePages(deps: PurgePagesDeps) {
	const { messages, purgePages } = deps.store;
	const endOpen = createEndOpen(deps);

	/** Erases the next pages of a closing cohort's unheld members; answers how many objects were found gone. */
	async function erasePages(cohort: Cohort): Promise<number> {
		const finishing: Promise<number>[] = [];
		for (const object of sealedObjects) {
			if (!(await eraseObject(cohort, object, finishing))) break;
		}
		await Promise.allSettled(finishing);
		return (await Promise.all(finishing)).reduce((sum, count) => sum + count, 0);
	}

	/** False when it was stopped by a hold. */
	async function eraseObject(cohort: Cohort, object: SealedObjectName, finishing: Promise<number>[]): Promise<boolean> {
		const members = await messages.findSealedIn(cohort._id, object, limits.purgePageItems * limits.purgeStepPagesMax);
		await Promise.all(members.map(endOpen));
		for (let start = 0; start < members.length; start += limits.purgePageItems) {
			const page = await erase(cohort, object, members.slice(start, start + limits.purgePageItems));
			if (!page) return false;
			// While it is read back and certified, the next one is erased.
			const finished = finish(page);
			// Its failure is told by whoever waits for all, once the others are through.
			finished.catch(() => undefined);
			finishing.push(finished);
		}
		return true;
	}

	/** Undefined, and nothing erased, when a hold has begun to be placed. */
	async function erase(
		cohort: Cohort,
		object: SealedObjectName,
		members: { _id: string }[],
	): Promise<PurgePage | undefined> {
		const { _id: cohortId, tenantId } = cohort;
		const _id = deps.ids.random("certificate");
		const page = { _id, tenantId, cohortId, object, messageIds: idsOf(members), erasedAt: deps.clock() };
		await purgePages.insert(page);
		// One entry for all: its certificate names them.
		await deps.evidence.append([{ type: "page_erased", code: object, tenantId, about: page._id, by: "engine" }]);
		// Asked just before the write, for the pages of a step take seconds. A hold that is recorded after this answer finds
		// one page's write on its way, and that one alone: what does not bear the hold by then goes as if it had come before.
		if (await isHeldBack(deps, cohort)) {
			await purgePages.delete(page._id);
			return undefined;
		}
		// As of now: what came before may have taken long, and from then on every copy is dated.
		await messages.erasePage({ ...page, erasedAt: deps.clock() });
		return page;
	}

	/**
	 * Reads a page back and certifies what it erased. What is there again gets no share in the certificate: the sweep
	 * certifies that as incomplete, and erases it once more. Nor does what nobody can say the keys of, which the sweep tells.
	 */
	async function finish(page: PurgePage): Promise<number> {
		const { _id: id, object } = page;
		const mine = (await messages.readPage(page)).filter(({ retention }) => retention[object]?.certificateId === id);
		const isGone = (message: (typeof mine)[number]) =>
			!message[object] && message.retention[object]?.eraseBy !== undefined;
		const [gone, others] = [mine.filter(isGone), mine.filter((message) => !isGone(message))];
		if (others.length > 0) await messages.disown(page, idsOf(others), deps.clock());
		if (gone.length > 0) await issueCertificate(deps, await certificateOf(deps, page, gone));
		await purgePages.delete(id);
		return gone.length;
	}

	/** Finishes what other workers left: all pages when `isEmpty`, since no member is left for them to erase. */
	async function finishPages(cohort: Cohort, isEmpty: boolean): Promise<void> {
		const leftAt = deps.clock() - limits.purgePagePatienceMs;
		for (const page of await purgePages.findByCohort(cohort._id)) {
			if (isEmpty || page.erasedAt < leftAt) await finish(page);
		}
	}

	return { erasePages, finishPages, endOpen };
}

async function certificateOf(
	{ store }: PurgePagesDeps,
	{ _id: id, object, tenantId, cohortId, erasedAt: begunAt }: PurgePage,
	gone: Pick<Message, "_id" | "retention" | "attempts" | "carrierCopy">[],
) {
	const records = gone.map(({ retention }) => ({ ...retention[object], cohortId }));
	const dates = await readKeyDates(store, records);
	const objects = gone.map(({ _id: messageId, retention }, index) => ({
		...{ messageId, object, erasedAt: retention[object]?.erasedAt ?? begunAt, verified: true, cohortId },
		...dates[index],
	}));
	const carrierCopies = gone.map((message) => carrierCopyOf(message));
	return { id, kind: "purge" as const, tenantId, about: cohortId, objects, carrierCopies };
}

// A cohort ends after its members' close; one that is open still was missed by every driver.
function createEndOpen(deps: PurgePagesDeps) {
	return async ({ _id, state }: Pick<Message, "_id" | "state">): Promise<void> => {
		if (isFinal(state)) return;
		const ended = await change(deps.store.messages, _id, (message) => close(message, deps.clock()));
		if (ended) deps.runs.settleSoon(ended.before);
	};
}

function idsOf(messages: { _id: string }[]): string[] {
	return messages.map(({ _id }) => _id);
}
