// A purge's pages: noted, erased in one write, read back, certified. Each step may be repeated, and by two workers at once.

import type { Cohort, PurgePage } from "../adapters/mongo/models.ts";
import { carrierCopyOf } from "../domain/carrierCopy.ts";
import { isFinal } from "../domain/lifecycle.ts";
import { limits } from "../domain/limits.ts";
import { type Message, type SealedObjectName, sealedObjects } from "../domain/message.ts";
import { close } from "../domain/transition.ts";
import { keyDueAtOf } from "./certify.ts";
import { change } from "./change.ts";
import type { ActivityDeps } from "./deps.ts";
import { issueCertificate } from "./issueCertificate.ts";

export type PurgePagesDeps = Pick<ActivityDeps, "clock" | "ids" | "certificates" | "evidence"> & {
	store: Pick<ActivityDeps["store"], "messages" | "purgePages" | "certificates">;
	runs: Pick<ActivityDeps["runs"], "settleSoon">;
};

export function createPurgePages(deps: PurgePagesDeps) {
	const { messages, purgePages } = deps.store;

	/** Erases the next pages of a closing cohort's unheld members; answers how many objects were found gone. */
	async function erasePages(cohort: Cohort): Promise<number> {
		const finishing: Promise<number>[] = [];
		for (const object of sealedObjects) {
			const members = await messages.findSealedIn(cohort._id, object, limits.purgePageItems * limits.purgeStepPagesMax);
			await Promise.all(members.map(endOpen));
			for (let start = 0; start < members.length; start += limits.purgePageItems) {
				const page = await erase(cohort, object, members.slice(start, start + limits.purgePageItems));
				// While it is read back and certified, the next one is erased.
				const finished = finish(page, cohort);
				// Its failure is told below, once the others are through.
				finished.catch(() => undefined);
				finishing.push(finished);
			}
		}
		await Promise.allSettled(finishing);
		return (await Promise.all(finishing)).reduce((sum, count) => sum + count, 0);
	}

	async function erase(cohort: Cohort, object: SealedObjectName, members: { _id: string }[]): Promise<PurgePage> {
		const { _id: cohortId, tenantId } = cohort;
		const messageIds = members.map(({ _id }) => _id);
		const page = {
			_id: deps.ids.random("certificate"),
			tenantId,
			cohortId,
			object,
			messageIds,
			erasedAt: deps.clock(),
		};
		await purgePages.insert(page);
		// One entry for all: its certificate names them.
		await deps.evidence.append([{ type: "page_erased", code: object, tenantId, about: page._id, by: "engine" }]);
		await messages.erasePage(page);
		return page;
	}

	/**
	 * Reads a page back and certifies what it erased. What is there again gets no share in the certificate: the sweep
	 * certifies that as incomplete, and erases it once more.
	 */
	async function finish(page: PurgePage, cohort: Cohort): Promise<number> {
		const { _id: id, object, tenantId, cohortId, erasedAt } = page;
		const mine = (await messages.readPage(page)).filter(({ retention }) => retention[object]?.certificateId === id);
		const [gone, back] = [mine.filter((message) => !message[object]), mine.filter((message) => message[object])];
		if (back.length > 0) await messages.disown(page, idsOf(back), deps.clock());
		if (gone.length > 0) {
			const keyDueAt = keyDueAtOf(cohort);
			const objects = gone.map(({ _id: messageId }) => ({
				...{ messageId, object, erasedAt, verified: true, cohortId, keyDueAt },
				keyDestroyedAt: cohort.destroyedAt,
			}));
			const carrierCopies = gone.map((message) => carrierCopyOf(message));
			await issueCertificate(deps, { id, kind: "purge", tenantId, about: cohortId, objects, carrierCopies });
		}
		await purgePages.delete(id);
		return gone.length;
	}

	/** Finishes what other workers left: all pages when `isEmpty`, since no member is left for them to erase. */
	async function finishPages(cohort: Cohort, isEmpty: boolean): Promise<void> {
		const leftAt = deps.clock() - limits.purgePagePatienceMs;
		for (const page of await purgePages.findByCohort(cohort._id)) {
			if (isEmpty || page.erasedAt < leftAt) await finish(page, cohort);
		}
	}

	// A cohort ends after its members' close; one that is open still was missed by every driver.
	async function endOpen({ _id, state }: Pick<Message, "_id" | "state">): Promise<void> {
		if (isFinal(state)) return;
		const ended = await change(messages, _id, (message) => close(message, deps.clock()));
		if (ended) deps.runs.settleSoon(ended.before);
	}

	return { erasePages, finishPages, endOpen };
}

function idsOf(messages: { _id: string }[]): string[] {
	return messages.map(({ _id }) => _id);
}
