// Idempotency-Key: the first answer is kept and given again; what a request makes has the same ids when it is run again.

import type { FastifyInstance, FastifyReply, FastifyRequest, RouteOptions } from "fastify";
import { z } from "zod";
import { LetheError } from "../../domain/errors.ts";
import type { IdKind } from "../../domain/ids.ts";
import { limits } from "../../domain/limits.ts";
import { canonical } from "../canonical.ts";
import type { ApiDeps } from "../deps.ts";
import { idempotencyHeaders } from "../headers.ts";
import { problemType } from "./problem.ts";

declare module "fastify" {
	interface FastifyRequest {
		/**
		 * The claimed idempotency key whose answer is still due, and when this run claimed it; `again`: an earlier run of it
		 * was cut off before it answered.
		 */
		idempotencyClaim: { id: string; startedAt: number; seed: string; again: boolean } | undefined;
		/**
		 * An id for what this request makes: with an Idempotency-Key the same one whenever it is run, so that a run that was cut
		 * off is found by the next; otherwise a random one. One request makes one thing a kind.
		 */
		newId: (kind: IdKind) => string;
	}
	interface FastifyContextConfig {
		/** `own`: the route keeps its idempotency keys with what it makes. `none`: it takes none. */
		idempotency?: "own" | "none";
		/** What the route answers holds a secret, content or somebody's name: it is never kept, and a repeat is told so. */
		secretAnswer?: boolean;
	}
}

// The process that claimed the key is gone if it has not answered by then.
const runningMsMax = 60_000;

type IdempotencyDeps = Pick<ApiDeps, "clock" | "hmac" | "ids" | "log"> & {
	store: {
		idempotencyKeys: Pick<
			ApiDeps["store"]["idempotencyKeys"],
			"abandon" | "answer" | "claim" | "findAny" | "release" | "takeOver"
		>;
	};
};

type Claim = NonNullable<FastifyRequest["idempotencyClaim"]>;

/** The request's Idempotency-Key, as its route's schema let it through. */
export function readIdempotencyKey(request: Pick<FastifyRequest, "headers">): string | undefined {
	return request.headers["idempotency-key"] as string | undefined;
}

/** What an earlier run of this request made, which was cut off before it answered; without one the store is not asked. */
export async function findEarlier<Made>(
	{ idempotencyClaim }: Pick<FastifyRequest, "idempotencyClaim">,
	find: () => Promise<Made | undefined>,
): Promise<Made | undefined> {
	return idempotencyClaim?.again ? find() : undefined;
}

/** Replays, refuses or remembers the POSTs of this scope that bear a key; add it after authentication. */
export function addIdempotency(app: FastifyInstance, deps: IdempotencyDeps): void {
	app.decorateRequest("idempotencyClaim", undefined);
	app.decorateRequest("newId", function (this: FastifyRequest, kind: IdKind) {
		const seed = this.idempotencyClaim?.seed;
		return seed === undefined ? deps.ids.random(kind) : deps.ids.derive(kind, seed);
	});
	app.addHook("onRoute", (route: RouteOptions) => {
		if (![route.method].flat().includes("POST") || route.config?.idempotency === "none") return;
		const own = route.schema?.headers as z.ZodObject | undefined;
		route.schema = { ...route.schema, headers: z.looseObject({ ...own?.shape, ...idempotencyHeaders }) };
	});

	app.addHook("preHandler", async (request, reply) => {
		if (request.method !== "POST" || request.routeOptions.config.idempotency !== undefined) return;
		const key = readIdempotencyKey(request);
		if (key === undefined) return;
		const answer = await claim(deps, request, key);
		if (!answer) return;
		reply.header("idempotency-replayed", "true");
		if (answer.body === undefined) throw new LetheError("answer_not_kept");
		const type = answer.status < 400 ? "application/json; charset=utf-8" : problemType;
		return reply.code(answer.status).type(type).send(answer.body);
	});

	app.addHook("onSend", async (request, reply, payload) => {
		const claimed = request.idempotencyClaim;
		if (claimed === undefined) return;
		request.idempotencyClaim = undefined;
		await settle(deps, claimed, reply, payload);
	});
}

/** Claims the key for this request; answers the first answer when there is one. */
async function claim(deps: IdempotencyDeps, request: FastifyRequest, key: string) {
	const { idempotencyKeys } = deps.store;
	const now = deps.clock();
	const content = canonical([request.principal.tenantId, request.method, request.url, request.body ?? null]);
	const [{ id, others }, { mac: fingerprint }] = await Promise.all([
		readIds(deps, request, key),
		deps.hmac.mac("idempotency", undefined, content),
	]);
	// What stands under another version of the hash goes first: it was there before that of today.
	const eraseBy = now + limits.idempotencyKeptMs;
	const standing =
		(await idempotencyKeys.findAny(others)) ??
		(await idempotencyKeys.claim({ _id: id, fingerprint, startedAt: now, eraseBy }));
	if (standing) {
		const macs = await deps.hmac.allMacs("idempotency", undefined, content);
		if (!macs.some((candidate) => candidate.mac === standing.fingerprint)) throw new LetheError("idempotency_mismatch");
		if (standing.answer) return standing.answer;
		const { _id, startedAt } = standing;
		const dead = now - startedAt > runningMsMax && (await idempotencyKeys.takeOver(_id, startedAt, now));
		if (!dead) throw new LetheError("idempotency_in_progress");
		request.idempotencyClaim = { id: _id, startedAt: now, seed: seedOf(standing), again: true };
		return undefined;
	}
	request.idempotencyClaim = { id, startedAt: now, seed: seedOf({ _id: id, eraseBy }), again: false };
	// While the version changes, two processes may claim one key under two of them: whoever sees the other lets go.
	if (!(await idempotencyKeys.findAny(others))) return undefined;
	request.idempotencyClaim = undefined;
	await idempotencyKeys.release({ id, startedAt: now });
	throw new LetheError("idempotency_in_progress");
}

// By its end too: once a key is forgotten, the same one names another request.
function seedOf({ _id, eraseBy }: { _id: string; eraseBy: number }): string {
	return `${_id} ${eraseBy}`;
}

/** Where the key is claimed, and where it may stand claimed under other live versions of the hash. */
async function readIds(deps: IdempotencyDeps, { principal }: FastifyRequest, key: string) {
	const text = JSON.stringify([principal.tenantId, principal.id, key]);
	const { toStore, others } = await deps.hmac.macs("idempotency", undefined, text);
	const idOf = ({ mac }: { mac: string }) => deps.ids.derive("request", mac);
	return { id: idOf(toStore), others: others.map(idOf) };
}

// What may go better next time is not kept as the answer. A failure may have come after the effect: its claim stays, for the
// next run to take over at once and to find what stands.
async function settle(deps: IdempotencyDeps, claimed: Claim, reply: FastifyReply, payload: unknown): Promise<void> {
	const status = reply.statusCode;
	const isSecret = status < 400 && reply.request.routeOptions.config.secretAnswer === true;
	const body = typeof payload === "string" ? payload : "";
	try {
		if (status === 429) await deps.store.idempotencyKeys.release(claimed);
		else if (status >= 500) await deps.store.idempotencyKeys.abandon(claimed);
		else await deps.store.idempotencyKeys.answer(claimed, { status, ...(isSecret ? {} : { body }) });
	} catch {
		// The effect stands and the caller must hear of it; a repeat waits until the claim counts as dead.
		deps.log.warn({ requestId: reply.request.id, code: "store_unavailable" }, "idempotent answer not kept");
	}
}
