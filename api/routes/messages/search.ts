// POST /v1/messages/search: a tenant's messages to one number, which stands in the body and nowhere else.

import { z } from "zod";
import { limits } from "../../../domain/limits.ts";
import { categories, type Message } from "../../../domain/message.ts";
import { type Place, readCursor, toPage } from "../../cursor.ts";
import type { ApiDeps } from "../../deps.ts";
import type { Instance } from "../../instance.ts";
import { readRecipient } from "../../recipient.ts";
import { pageQuery, problems, schemas } from "../../schemas.ts";
import { createSubjects, type Subject, type SubjectsDeps } from "../../subjects.ts";
import { viewMessage } from "../../view.ts";

type Deps = SubjectsDeps &
	Pick<ApiDeps, "clock"> & {
		store: { subjectMessages: Pick<ApiDeps["store"]["subjectMessages"], "shownBefore"> };
	};

const newest: Place = { at: 8.64e15, id: "" };

export function addSearchMessages(app: Instance, deps: Deps): void {
	const subjects = createSubjects(deps);
	const { shownBefore } = deps.store.subjectMessages;

	/** The newest after a place: as many as are asked for, or all there are. */
	async function find({ tenantId, macs }: Subject, place: Place, count: number): Promise<Message[]> {
		// By pseudonym and category, as they are indexed; and what was accepted at the very moment of the place.
		const reads = macs.flatMap((mac) =>
			categories.flatMap((category) => [
				shownBefore(mac, category, place.at, count),
				shownBefore(mac, category, place.at + 1, 1),
			]),
		);
		const found = new Map((await Promise.all(reads)).flat().map((message) => [message._id, message]));
		const isNext = ({ acceptedAt, _id, ...message }: Message) =>
			message.tenantId === tenantId && (acceptedAt < place.at || (acceptedAt === place.at && _id < place.id));
		return [...found.values()].filter(isNext).sort((a, b) => b.acceptedAt - a.acceptedAt || (a._id < b._id ? 1 : -1));
	}

	app.post(
		"/messages/search",
		{
			config: { secretAnswer: true, act: "searched", requestsPerMinuteMax: limits.messageSearchesPerMinuteMax },
			schema: {
				operationId: "searchMessages",
				summary: "List the messages to a number, newest first",
				description:
					"Those whose record still bears the number's pseudonym. In the evidence log before it is answered.",
				tags: ["messages"],
				querystring: z.strictObject(pageQuery),
				body: schemas.numberSearch,
				response: { 200: schemas.messagePage.describe("A page"), ...problems },
			},
		},
		async ({ principal, body, query: { cursor, limit } }) => {
			const { number } = readRecipient(body.number, "/number");
			const subject = await subjects.identify(principal.tenantId, number);
			const found = await find(subject, readCursor("message", cursor) ?? newest, limit + 1);
			const page = toPage(found, limit, ({ acceptedAt, _id }) => ({ at: acceptedAt, id: _id }));
			return { ...page, items: page.items.map((message) => viewMessage(message, deps.clock())) };
		},
	);
}
