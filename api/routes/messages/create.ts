// POST /v1/messages: accepts one message, or says what would become of it.

import { z } from "zod";
import { isFinal } from "../../../domain/lifecycle.ts";
import { limits } from "../../../domain/limits.ts";
import { type AcceptDeps, createAccept } from "../../accept.ts";
import { countOrRefuse } from "../../countOrRefuse.ts";
import type { ApiDeps } from "../../deps.ts";
import { waitHeaders } from "../../headers.ts";
import type { Instance } from "../../instance.ts";
import type { Metrics } from "../../metrics.ts";
import type { Principal } from "../../plugins/auth.ts";
import { actOf } from "../../plugins/evidence.ts";
import { readIdempotencyKey } from "../../plugins/idempotency.ts";
import { problems, schemas } from "../../schemas.ts";
import { viewAccepted } from "../../view.ts";
import { createWait, readWait } from "../../wait.ts";

const dryRunsPerMinute = { name: "dry-runs", requests: limits.searchesPerMinuteMax, seconds: 60 };

type CreateDeps = AcceptDeps &
	Pick<ApiDeps, "evidence" | "requestCounts"> & {
		store: { messages: Pick<ApiDeps["store"]["messages"], "find"> };
		metrics: Pick<Metrics, "countAcceptance">;
	};

export function addCreateMessage(app: Instance, deps: CreateDeps): void {
	const { accept, tryOut } = createAccept(deps);
	const { wait, stop } = createWait(deps);
	app.addHook("preClose", async () => stop());

	app.post(
		"/messages",
		{
			config: { idempotency: "own" },
			schema: {
				operationId: "createMessage",
				summary: "Accept a message",
				tags: ["messages"],
				description:
					"202 follows a journaled write: the message reaches a final state whatever fails. With `Idempotency-Key` a repeat " +
					"of what was accepted replays the first answer; what was refused left nothing, and its repeat is judged anew. " +
					"`Prefer: wait=N` (at most 30 s) waits for a final state.",
				querystring: z.strictObject({ dryRun: z.enum(["true", "false"]).optional() }),
				headers: z.looseObject(waitHeaders),
				body: schemas.messageInput,
				response: {
					200: z.union([schemas.accepted, schemas.dryRun]).describe("Final within the wait, or a dry run"),
					202: schemas.accepted.describe("Accepted"),
					...problems,
				},
			},
		},
		async (request, reply) => {
			const { principal, body: input } = request;
			if (request.query.dryRun === "true") {
				await enterDryRun(deps, principal);
				return reply.code(200).send(await tryOut(principal, input));
			}
			const { replayed, items } = await accept({ principal, inputs: [input], key: readIdempotencyKey(request) });
			const [item] = items;
			if (!item || "error" in item) {
				deps.metrics.countAcceptance(input.category, item?.error.code ?? "internal");
				throw item?.error;
			}
			deps.metrics.countAcceptance(input.category, replayed ? "replayed" : "accepted");
			if (replayed) reply.header("idempotency-replayed", "true");
			const waitMs = readWait(request.headers.prefer, limits.stateWaitMsMax);
			if (waitMs === 0) return reply.code(202).send(viewAccepted(item.message));
			const gone = new AbortController();
			reply.raw.once("close", () => gone.abort());
			const message = await wait(item.message._id, waitMs, gone.signal);
			if (!message) return reply.code(202).send(viewAccepted(item.message));
			reply.header("preference-applied", `wait=${waitMs / 1000}`);
			return reply.code(isFinal(message.state) ? 200 : 202).send(viewAccepted(message, message.state));
		},
	);
}

/** It tells what is on record of a number, as a search does, and costs no message. @throws LetheError rate_limited */
async function enterDryRun(deps: CreateDeps, principal: Principal): Promise<void> {
	await countOrRefuse(deps, dryRunsPerMinute, principal.id);
	await deps.evidence.append([actOf(principal, "searched", { code: "dryRun" })]);
}
