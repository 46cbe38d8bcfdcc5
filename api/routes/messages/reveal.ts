// POST /v1/messages/{id}/reveal: one message in clear, for a person who says what for; in the evidence log before it is read.

import { z } from "zod";
import { LetheError } from "../../../domain/errors.ts";
import { isFinal } from "../../../domain/lifecycle.ts";
import { limits } from "../../../domain/limits.ts";
import { type Message, sealedObjects } from "../../../domain/message.ts";
import { type CollectDeps, createCollectExport } from "../../collectExport.ts";
import type { ApiDeps } from "../../deps.ts";
import type { Instance } from "../../instance.ts";
import { actOf } from "../../plugins/evidence.ts";
import { fields, problems } from "../../schemas.ts";

type Deps = CollectDeps &
	Pick<ApiDeps, "clock" | "ids" | "evidence"> & {
		store: {
			messages: Pick<ApiDeps["store"]["messages"], "findForTenant">;
			subjectRecords: Pick<ApiDeps["store"]["subjectRecords"], "find">;
		};
		runs: Pick<ApiDeps["runs"], "revealSoon">;
	};

const { loggedWord } = fields;
const input = z
	.strictObject({
		purpose: loggedWord.meta({ description: "What for, in a word; it stands in the evidence log for good." }),
		ticket: loggedWord.meta({
			description: "Where that is recorded, such as `case-4711`. Of what a hold keeps from use: that hold's `reason`.",
		}),
	})
	.meta({ id: "RevealRequest" });
const revealed = z
	.object({
		id: z.string(),
		number: z.string().optional().meta({ description: "Absent once it was erased." }),
		text: z.string().optional().meta({
			description: "Absent of a secure link, which its recipient alone can decrypt.",
		}),
	})
	.meta({ id: "RevealedMessage" });

export function addRevealMessage(app: Instance, deps: Deps): void {
	const collectExport = createCollectExport(deps);
	app.post(
		"/messages/:id/reveal",
		{
			config: { secretAnswer: true, requestsPerMinuteMax: limits.revealsPerMinuteMax },
			schema: {
				operationId: "revealMessage",
				summary: "Read a message's number and text",
				description:
					"For a person who has just signed in with MFA. A worker decrypts it for this one answer, which is stored nowhere. Once its text is erased it is refused, whatever is kept of the number. What a hold restricts, or alone keeps beyond its time, is read for that hold's matter only.",
				tags: ["messages"],
				params: z.strictObject({ id: z.string() }),
				body: input,
				response: { 200: revealed.describe("What there is of it"), ...problems },
			},
		},
		async ({ principal, params, body }) => {
			const { tenantId } = principal;
			const message = await deps.store.messages.findForTenant(tenantId, params.id);
			if (!message) throw new LetheError("not_found");
			if (!message.content) throw new LetheError("content_erased");
			await refuseHeld(deps, message, body.ticket);
			const code = `${body.purpose}.${body.ticket}`;
			await deps.evidence.append([actOf(principal, "message_revealed", { about: message._id, code })]);
			const _id = deps.ids.random("export");
			const asked = { _id, tenantId, requestId: message._id, report: "message" as const };
			const wake = () => deps.runs.revealSoon({ exportId: _id, tenantId });
			const [row] = await collectExport<{ number?: string; text?: string }>(asked, wake);
			// Erased meanwhile; of a secure link there is the number alone to read.
			if ((message.link ? row?.number : row?.text) === undefined) throw new LetheError("content_erased");
			return { id: message._id, ...row };
		},
	);
}

/** A hold never permits use, unless it is for the matter that the hold serves. @throws LetheError message_held */
async function refuseHeld(deps: Deps, message: Message, ticket: string): Promise<void> {
	const ids = holdsAgainstUse(message, deps.clock());
	const found = await Promise.all(ids.map(async (_id) => ({ _id, record: await deps.store.subjectRecords.find(_id) })));
	// One without a record still holds: nobody knows what it permits.
	const standing = found.flatMap(({ _id, record }) => {
		if (record?.kind !== "hold") return { _id, reason: undefined };
		return record.ended ? [] : { _id, reason: record.reason };
	});
	if (standing.length === 0 || standing.some(({ reason }) => reason === ticket)) return;
	throw new LetheError("message_held", { extra: { holds: standing.map(({ _id }) => _id) } });
}

/** Those that restrict it; and every one, once nothing else keeps what is left of it. */
function holdsAgainstUse(message: Message, now: number): string[] {
	const isOver = sealedObjects.some((name) => {
		const { eraseBy = Number.POSITIVE_INFINITY, atFinal = false } = message.retention[name] ?? {};
		return message[name] !== undefined && (eraseBy <= now || (atFinal && isFinal(message.state)));
	});
	return isOver ? message.holds : (message.restrictedBy ?? []);
}
