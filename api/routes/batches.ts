// /v1/batches: up to 500 messages accepted as one submission, each with a fate of its own.

import { z } from "zod";
import { errorCatalogue, LetheError } from "../../domain/errors.ts";
import type { State } from "../../domain/lifecycle.ts";
import { limits } from "../../domain/limits.ts";
import { isReadable, type Message } from "../../domain/message.ts";
import { type Acceptance, type AcceptDeps, createAccept } from "../accept.ts";
import type { ApiDeps } from "../deps.ts";
import type { Instance } from "../instance.ts";
import type { Metrics } from "../metrics.ts";
import { enterRead } from "../plugins/evidence.ts";
import { readIdempotencyKey } from "../plugins/idempotency.ts";
import { problems, schemas } from "../schemas.ts";
import { stateAtAcceptance } from "../view.ts";

type Deps = AcceptDeps &
	Pick<ApiDeps, "evidence"> & {
		store: { messages: Pick<ApiDeps["store"]["messages"], "findBySubmission" | "shownSubmission"> };
		metrics: Pick<Metrics, "countAcceptance">;
	};

const tags = ["batches"];
const refusal = z.looseObject({
	code: z.string(),
	title: z.string(),
	retryable: z.boolean().meta({ description: "Whether it may be accepted later, sent again by itself." }),
	errors: z.array(z.object({ pointer: z.string(), detail: z.string() })).optional(),
	reasons: z.array(z.string()).optional(),
});
const item = z.object({
	index: z.int().meta({ description: "Its place in the request, from 0." }),
	id: z.string().optional(),
	state: schemas.state.optional(),
	expiresAt: z.string().optional(),
	error: refusal.optional().meta({ description: "Why it was refused; pointers are within the message." }),
});
const counts = { id: z.string(), accepted: z.int(), refused: z.int() };
const accepted = z.object({ ...counts, items: z.array(item) }).meta({ id: "AcceptedBatch" });
const batch = z
	.object({
		...counts,
		states: z.record(z.string(), z.int()).meta({ description: "How many messages are in each state." }),
		items: z.array(item),
		unreadable: z
			.array(z.string())
			.optional()
			.meta({
				description:
					"Messages of it whose records can't be read, by id: each is counted, and in no item. As long as there are any, what " +
					"was refused may not all be told.",
			}),
	})
	.meta({ id: "Batch" });

export function addBatches(app: Instance, deps: Deps): void {
	const { accept } = createAccept(deps);

	app.post(
		"/batches",
		{
			bodyLimit: limits.batchBytesMax,
			config: { idempotency: "own", inFlightMax: limits.batchesInFlightMax },
			schema: {
				operationId: "createBatch",
				summary: "Accept up to 500 messages together",
				description:
					"What all messages share stands beside `messages`, what is one recipient's own within it. 202 when at least one " +
					"was accepted: those that were not are listed with their errors. One `Idempotency-Key` covers them all; where " +
					"nothing was accepted a repeat is judged anew.",
				tags,
				body: schemas.batchInput,
				response: { 202: accepted.describe("Accepted, at least in part"), ...problems },
			},
		},
		async (request, reply) => {
			const { principal, body: inputs } = request;
			const acceptance = await accept({ principal, inputs, key: readIdempotencyKey(request), batch: true });
			const { replayed, items } = acceptance;
			for (const [index, one] of items.entries()) {
				const told = "error" in one ? one.error.code : replayed ? "replayed" : "accepted";
				deps.metrics.countAcceptance(inputs[index]?.category ?? "otp", told);
			}
			if (replayed) reply.header("idempotency-replayed", "true");
			const answer = viewAcceptance(acceptance);
			if (answer.id === undefined) throw new LetheError("batch_refused", { extra: { items: answer.items } });
			return reply.code(202).send({ ...answer, id: answer.id });
		},
	);

	app.get(
		"/batches/:id",
		{
			schema: {
				operationId: "getBatch",
				summary: "What became of a batch, message by message",
				tags,
				params: z.strictObject({ id: z.string().max(64) }),
				response: { 200: batch.describe("Found"), ...problems },
			},
		},
		async (request) => {
			const found = await deps.store.messages.shownSubmission(request.params.id);
			const { principal } = request;
			// Those that share a run for its own sake were never one request.
			const own = found.filter(({ tenantId, sharesRun }) => tenantId === principal.tenantId && !sharesRun);
			if (own.length === 0) throw new LetheError("not_found");
			await enterRead(deps, principal, { about: request.params.id, senderId: own.find(isReadable)?.principalId });
			return viewBatch(request.params.id, own);
		},
	);
}

function viewAcceptance({ items }: Acceptance) {
	const seen = items.map((one, index) =>
		"error" in one ? viewRefused(one.error, index) : viewItem(one.message, stateAtAcceptance(one.message)),
	);
	const [first] = items.flatMap((one) => ("message" in one ? [one.message] : []));
	const refused = items.filter((one) => "error" in one).length;
	return { id: first?.submissionId, accepted: items.length - refused, refused, items: seen };
}

function viewBatch(id: string, messages: Message[]): z.input<typeof batch> {
	const states: Record<string, number> = {};
	for (const { state } of messages) states[state] = (states[state] ?? 0) + 1;
	const refusals = messages.flatMap(({ refused }) => refused ?? []);
	const refused = refusals.map(({ index, code, ...about }) => viewRefused(new LetheError(code, about), index));
	const [read, unread] = [messages.filter(isReadable), messages.filter((message) => !isReadable(message))];
	const items = [...read.map((message) => viewItem(message, message.state)), ...refused].toSorted(
		(one, other) => one.index - other.index,
	);
	return {
		...{ id, accepted: messages.length, refused: refused.length, states, items },
		...(unread.length > 0 ? { unreadable: unread.map(({ _id }) => _id) } : {}),
	};
}

function viewItem({ _id, index = 0, deadlineAt }: Message, state: State) {
	return { index, id: _id, state, expiresAt: new Date(deadlineAt).toISOString() };
}

function viewRefused({ code, errors, extra }: LetheError, index: number) {
	// A policy's refusal brings its whole decision; in a list the words of it do.
	const { decision: _, ...why } = extra;
	const { title, retryable } = errorCatalogue[code];
	return { index, error: { code, title, retryable, ...(errors.length > 0 ? { errors } : {}), ...why } };
}
