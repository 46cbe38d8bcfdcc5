// The messages that a subject's request is about, page by page: by every pseudonym, whichever key version a message's own
// is under, within the time that the number was theirs.

import { LetheError } from "../domain/errors.ts";
import { limits } from "../domain/limits.ts";
import { categories, isReadable, type Message } from "../domain/message.ts";
import type { SubjectRequest } from "../domain/subjectRequest.ts";
import type { ActivityDeps } from "./deps.ts";

/** How far the pages have come: which pseudonym and category, and the acceptance of the last message seen of it. */
export type Cursor = { index: number; acceptedAt?: number };

type SubjectPagesDeps = { store: { subjectMessages: Pick<ActivityDeps["store"]["subjectMessages"], "pageBefore"> } };

/** `until`: later messages are not looked at, epoch ms. */
export function createSubjectPages(deps: SubjectPagesDeps) {
	/**
	 * One page and the place of the next; no next when all were seen. Each page begins where the last one ended. Those that
	 * nobody can read are apart: they keep no other from going.
	 */
	async function readPage(
		request: SubjectRequest,
		cursor: Cursor,
		until: number,
	): Promise<{ messages: Message[]; unreadable: Message[]; next?: Cursor }> {
		// Accepted before, by the clock of whoever accepted it.
		const { from, to } = spanOf(request, until + limits.clockSkewMs);
		const place = placeOf(request, cursor);
		if (place === undefined) return { messages: [], unreadable: [] };
		const { mac, category, by } = place;
		const before = cursor.acceptedAt ?? to + 1;
		const found = await deps.store.subjectMessages.pageBefore(mac, category, before, limits.requestPageItems, by);
		const last = found.at(-1);
		const own = found.filter(
			({ tenantId, acceptedAt, subject }) =>
				tenantId === request.tenantId &&
				acceptedAt >= from &&
				// Found by its own already.
				(by === "mac" || !request.subjects.includes(subject.mac)),
		);
		const isOver = last === undefined || last.acceptedAt < from || found.length < limits.requestPageItems;
		return {
			messages: own.filter(isReadable),
			unreadable: own.filter((message) => !isReadable(message)),
			next: isOver ? { index: cursor.index + 1 } : { index: cursor.index, acceptedAt: last.acceptedAt },
		};
	}

	/** The same for what tells of all of them. @throws LetheError store_unavailable while nobody can read one */
	async function readWhole(
		request: SubjectRequest,
		cursor: Cursor,
		until: number,
	): Promise<{ messages: Message[]; next?: Cursor }> {
		const { unreadable, ...page } = await readPage(request, cursor, until);
		if (unreadable.length > 0) throw new LetheError("store_unavailable", { cause: "archive unreadable" });
		return page;
	}

	return {
		readPage,
		readWhole,
		/** Visits all of them, as `readWhole` reads them; `visit` answers false to end it. */
		async eachPage(
			request: SubjectRequest,
			until: number,
			visit: (messages: Message[]) => Promise<boolean | undefined> | Promise<void>,
		): Promise<void> {
			for (let cursor: Cursor | undefined = { index: 0 }; cursor; ) {
				const { messages, next }: { messages: Message[]; next?: Cursor } = await readWhole(request, cursor, until);
				if (messages.length > 0 && (await visit(messages)) === false) return;
				cursor = next;
			}
		},
	};
}

// First what bears one of the request's pseudonyms as its own; then what was accepted after a rotation of the key that the
// request was recorded before, which bears it beside its own.
function placeOf({ subjects }: SubjectRequest, { index }: Cursor) {
	const pair = Math.floor(index / categories.length);
	const mac = subjects[pair % subjects.length];
	const category = categories[index % categories.length];
	if (mac === undefined || category === undefined || pair >= 2 * subjects.length) return undefined;
	return { mac, category, by: pair < subjects.length ? ("mac" as const) : ("others" as const) };
}

/** The time that the number was theirs, as far as that lies before `until`: of another it may have been somebody else's. */
export function spanOf({ identity }: SubjectRequest, until: number): { from: number; to: number } {
	return { from: identity?.ownedFrom ?? Number.POSITIVE_INFINITY, to: Math.min(until, identity?.ownedUntil ?? until) };
}
