// Sends one webhook and writes down what came of it: for the delivery, and for what is known of its endpoint.

import { timingSafeEqual } from "node:crypto";
import type { OutboundAnswer } from "../adapters/outboundHttp.ts";
import type { WebhookSender } from "../adapters/webhookSender.ts";
import { type Circuit, createCircuit } from "../domain/circuit.ts";
import { limits } from "../domain/limits.ts";
import { payloadOf, type WebhookDelivery, type WebhookEndpoint, webhookBackoffMs } from "../domain/webhook.ts";
import type { ActivityDeps } from "./deps.ts";

export type TellEndpointDeps = Pick<ActivityDeps, "clock" | "monotonic" | "random" | "log" | "evidence"> & {
	store: {
		webhookEndpoints: Pick<ActivityDeps["store"]["webhookEndpoints"], "beginDisabling" | "change" | "find">;
		webhookDeliveries: Pick<ActivityDeps["store"]["webhookDeliveries"], "page" | "settle">;
	};
	sendWebhook: WebhookSender;
};

/** One that this process has claimed. */
export type ClaimedDelivery = WebhookDelivery & { claim: string };
type Tried = WebhookDelivery["tries"][number];
type Change = { set: Partial<WebhookDelivery>; unset?: (keyof WebhookDelivery)[] };

const circuitsMax = 1_000;
const recentItems = 500;
const gone = 410;
// The receiver was not asked, or nothing is known of it: it is not held against it.
const ownFailures = new Set(["keys_unavailable", "store_unavailable", "internal"]);

export function createTellEndpoint(deps: TellEndpointDeps) {
	const circuits = createCircuits(deps.monotonic);

	async function succeed(endpoint: WebhookEndpoint, delivery: ClaimedDelivery, tried: Tried): Promise<void> {
		// Before it is written down: should this die, the receiver hears it twice, and the endpoint is enabled all the same.
		if (delivery.challenge !== undefined) await verify(deps, endpoint);
		if (endpoint.failingSince !== undefined) {
			await deps.store.webhookEndpoints.change(endpoint._id, ["enabled"], { unset: ["failingSince"] });
		}
		await settle(deps, delivery, { set: { state: "delivered", failures: 0 }, unset: ["nextAt", "code"] }, tried);
	}

	/** When it is tried again; undefined when it is not. Without `tried` the endpoint was left alone. */
	async function fail(endpoint: WebhookEndpoint, delivery: ClaimedDelivery, tried?: Tried) {
		const now = deps.clock();
		const isOurs = ownFailures.has(tried?.code ?? "");
		if (tried && !isOurs && delivery.event) await noteFailure(deps, endpoint, tried);
		const failures = delivery.failures + 1;
		if (tried?.status === gone || (now >= delivery.tryUntil && !isOurs)) {
			await settle(deps, delivery, { set: { state: "failed", failures }, unset: ["nextAt"] }, tried);
			return undefined;
		}
		const nextAt = now + webhookBackoffMs(failures, deps.random());
		await settle(deps, delivery, { set: { failures, nextAt } }, tried);
		return nextAt;
	}

	/** Tells it once. Answers when it is to be tried again; undefined once it is over with. @throws LetheError store_unavailable */
	return async function tellEndpoint(
		endpoint: WebhookEndpoint,
		delivery: ClaimedDelivery,
	): Promise<number | undefined> {
		// A challenge is what an endpoint is enabled by.
		if (endpoint.state !== "enabled" && delivery.event) {
			await settle(deps, delivery, { set: { state: "failed", code: `endpoint_${endpoint.state}` }, unset: ["nextAt"] });
			return undefined;
		}
		const circuit = circuits.of(endpoint._id);
		if (circuit.admit() > 0) return fail(endpoint, delivery);
		const startedAt = deps.monotonic();
		const answer = await deps
			.sendWebhook(endpoint, { id: delivery._id, payload: payloadOf(delivery) })
			.catch(({ code = "internal" }: { code?: string }) => ({ kind: "unsent" as const, code }));
		const tried = { at: deps.clock(), ...describe(answer, delivery), ms: Math.round(deps.monotonic() - startedAt) };
		const isTold = tried.status !== undefined && tried.code === undefined && isSuccess(tried);
		circuit.tell(ownFailures.has(tried.code ?? "") ? undefined : isTold || { code: tried.code ?? "refused" });
		if (!isTold) return fail(endpoint, delivery, tried);
		await succeed(endpoint, delivery, tried);
		return undefined;
	};
}

function settle(deps: TellEndpointDeps, { _id: id, claim }: ClaimedDelivery, change: Change, value?: Tried) {
	const tried = value && { value, keep: limits.webhookTriesKeptMax };
	return deps.store.webhookDeliveries.settle({ id, claim, ...change, ...(tried && { tried }) });
}

async function verify(deps: TellEndpointDeps, { _id, tenantId }: WebhookEndpoint): Promise<void> {
	const endpoint = await deps.store.webhookEndpoints.find(_id);
	if (endpoint?.state !== "unverified") return;
	await deps.evidence.append([{ type: "webhook_endpoint_verified", tenantId, about: _id, by: "engine" }]);
	const set = { state: "enabled", verifiedAt: deps.clock() } as const;
	await deps.store.webhookEndpoints.change(_id, ["unverified"], { set });
}

/** An endpoint that has failed for a day without a success, or says that it is gone, is told of nothing more. */
async function noteFailure(deps: TellEndpointDeps, known: WebhookEndpoint, { status }: Tried): Promise<void> {
	const now = deps.clock();
	const { webhookEndpoints } = deps.store;
	if (status !== gone && known.failingSince !== undefined && now < known.failingSince + limits.webhookTryMs) return;
	// What is remembered of it may be older than its last success.
	const endpoint = await webhookEndpoints.find(known._id);
	if (endpoint?.state !== "enabled") return;
	const { _id, tenantId, failingSince } = endpoint;
	if (status !== gone && failingSince === undefined) {
		return void (await webhookEndpoints.change(_id, ["enabled"], { set: { failingSince: now } }));
	}
	if (status !== gone && !(await isFailing(deps, endpoint, now))) return;
	// Of all that see it fail at once, one enters it.
	if (!(await webhookEndpoints.beginDisabling(_id, now, now - limits.webhookLeaseMs))) return;
	const code = status === gone ? "gone" : "failing";
	await deps.evidence.append([{ type: "webhook_endpoint_disabled", code, tenantId, about: _id, by: "engine" }]);
	const set = { state: "disabled", disabledFor: code, disabledAt: now } as const;
	await webhookEndpoints.change(_id, ["enabled"], { set, unset: ["disablingAt"] });
	deps.log.error({ code: "webhook_endpoint_disabled", why: code, about: _id }, "webhook endpoint disabled");
}

/** Whether it failed for a day without a success: one that this process knew nothing of counts, and ends the failing. */
async function isFailing(
	deps: TellEndpointDeps,
	{ _id, failingSince = 0 }: WebhookEndpoint,
	now: number,
): Promise<boolean> {
	if (now < failingSince + limits.webhookTryMs) return false;
	const recent = await deps.store.webhookDeliveries.page(_id, recentItems);
	const isSince = (tried: Tried) => tried.at >= failingSince && isSuccess(tried);
	if (!recent.some(({ state, tries }) => state === "delivered" && tries.some(isSince))) return true;
	await deps.store.webhookEndpoints.change(_id, ["enabled"], { unset: ["failingSince"] });
	return false;
}

function isSuccess({ status = 0 }: Pick<Tried, "status">): boolean {
	return status >= 200 && status <= 299;
}

/** A status, and a code where it is not the answer that was asked for. */
function describe(
	answer: OutboundAnswer | { kind: "unsent"; code: string },
	{ challenge }: WebhookDelivery,
): Pick<Tried, "status" | "code"> {
	if (answer.kind !== "answered") return { code: answer.code };
	const { status, body } = answer;
	const isAnswered = challenge === undefined || !isSuccess({ status }) || isAnswerTo(challenge, body);
	return isAnswered ? { status } : { status, code: "challenge_unanswered" };
}

function isAnswerTo(challenge: string, body: string): boolean {
	let given: unknown;
	try {
		given = (JSON.parse(body) as { challenge?: unknown } | null)?.challenge;
	} catch {
		return false;
	}
	if (typeof given !== "string") return false;
	const [expected, actual] = [Buffer.from(challenge), Buffer.from(given)];
	return expected.length === actual.length && timingSafeEqual(expected, actual);
}

/** A circuit an endpoint; the one that was asked for longest ago makes room. */
function createCircuits(monotonic: () => number) {
	const held = new Map<string, Circuit>();
	return {
		of(endpointId: string): Circuit {
			const circuit = held.get(endpointId) ?? createCircuit(monotonic);
			held.delete(endpointId);
			held.set(endpointId, circuit);
			const [oldest] = held.keys();
			if (oldest !== undefined && held.size > circuitsMax) held.delete(oldest);
			return circuit;
		},
	};
}
