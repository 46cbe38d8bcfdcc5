// How often a caller may come: by address before anything of a request is read, then by key, tenant and route.

import type { FastifyInstance, FastifyReply, FastifyRequest } from "fastify";
import { RateLimiterMemory, type RateLimiterRes } from "rate-limiter-flexible";
import type { RequestCount, RequestLimit } from "../../adapters/redis/requestCounts.ts";
import { errorCatalogue, LetheError } from "../../domain/errors.ts";
import { limits } from "../../domain/limits.ts";
import { networkOf, siteOf } from "../addresses.ts";
import type { ApiDeps } from "../deps.ts";
import type { Principal } from "./auth.ts";
import type { createProblem } from "./problem.ts";

declare module "fastify" {
	interface FastifyContextConfig {
		/** A costly route: how often one key may ask for it a minute. */
		requestsPerMinuteMax?: number;
	}
}

type LimitDeps = Pick<ApiDeps, "requestCounts" | "requestLimits">;
type CountDeps = Pick<ApiDeps, "requestCounts" | "hmac">;

/**
 * Bounds what one address may ask of this process, whoever it is. In memory: what it costs to refuse a flood must not
 * grow with the flood, and an address is nobody else's business.
 */
export function addAddressLimit(app: FastifyInstance, { requestLimits }: Pick<LimitDeps, "requestLimits">): void {
	const requests = requestLimits.addressRequestsPerSecond;
	const counter = new RateLimiterMemory({ points: requests, duration: 1 });
	app.addHook("onRequest", async (request, reply) => {
		const count = await counter.consume(networkOf(request.ip)).catch((refused: RateLimiterRes) => refused);
		if (count.consumedPoints > requests) refuse(reply, count.msBeforeNext);
	});
}

/** Bounds what a key, its tenant and a key on a costly route may ask of all processes together; add it after authentication. */
export function addRequestLimits(app: FastifyInstance, deps: LimitDeps): void {
	const limit = createPrincipalLimit(deps);
	app.addHook("onRequest", (request, reply) => limit(request.principal, request, reply));
}

/** The same for a request whose caller shows who it is otherwise. @throws LetheError rate_limited */
export function createPrincipalLimit({ requestCounts, requestLimits }: LimitDeps) {
	const perKey = { name: "key", requests: requestLimits.keyRequestsPerSecond, seconds: 1 };
	const perTenant = { name: "tenant", requests: requestLimits.tenantRequestsPerSecond, seconds: 1 };
	return async (
		principal: Pick<Principal, "id" | "tenantId">,
		{ routeOptions }: FastifyRequest,
		reply: FastifyReply,
	): Promise<void> => {
		const asked: [limit: RequestLimit, key: string][] = [
			[perKey, principal.id],
			[perTenant, principal.tenantId],
		];
		const perMinute = routeOptions.config.requestsPerMinuteMax;
		const { operationId } = (routeOptions.schema ?? {}) as { operationId?: string };
		if (perMinute !== undefined) {
			asked.push([{ name: `route:${operationId}`, requests: perMinute, seconds: 60 }, principal.id]);
		}
		const counts = [];
		for (const [limit, key] of asked) {
			const count = await requestCounts.take(limit, key);
			counts.push({ limit, count });
			// What a key is refused is not its tenant's: one key's flood would shut the others out.
			if (!count.allowed) break;
		}
		const tightest = counts.reduce((one, other) => (tightness(other.count) < tightness(one.count) ? other : one));
		tell(reply, tightest.limit, tightest.count);
		if (!tightest.count.allowed) refuse(reply, tightest.count.resetMs);
	};
}

/**
 * A hook that bounds what one address may ask, of all processes together, where nobody is asked who they are.
 * @param ofWhom the network or the site of an address
 */
export function createAddressLimit(deps: CountDeps, limit: RequestLimit, ofWhom = networkOf) {
	return async (request: FastifyRequest, reply: FastifyReply): Promise<void> => {
		const { allowed, resetMs } = await countHashed(deps, limit, `address ${ofWhom(request.ip)}`);
		if (!allowed) refuse(reply, resetMs);
	};
}

/**
 * Slows whoever fails to prove who they are, by address, and after too many in a minute answers 429 in place of 401.
 * Others behind the same address are not shut out: a key that is right still opens.
 */
export function slowFailures(
	app: FastifyInstance,
	failures: ReturnType<typeof createFailures>,
	problem: ReturnType<typeof createProblem>,
): void {
	app.setErrorHandler(async (error, request, reply) => {
		if (!(error instanceof LetheError) || errorCatalogue[error.code].status !== 401) {
			return problem.send(error, request, reply);
		}
		const retryAfter = await failures.slow(request.ip);
		if (retryAfter === undefined) return problem.send(error, request, reply);
		reply.header("retry-after", retryAfter);
		return problem.send(new LetheError("rate_limited"), request, reply);
	});
}

/** Counts failures to authenticate within a minute, by where they come from and as whom. */
export function createFailures(deps: LimitDeps & CountDeps) {
	const requests = deps.requestLimits.failedAuthenticationsPerMinute;
	const perSite = { name: "failures", requests, seconds: 60 };
	const perClient = { ...perSite, name: "client-failures" };
	let slowed = 0;

	return {
		/**
		 * Counts one and lets it wait. @param client as whom the caller tried, where it said so
		 * @returns what `Retry-After` says where there were too many: then nothing else is to be told
		 * @throws LetheError keys_unavailable
		 */
		async slow(ip: string, client?: string): Promise<string | undefined> {
			const counts = [await countHashed(deps, perSite, `address ${siteOf(ip)}`)];
			if (client !== undefined) counts.push(await countHashed(deps, perClient, `client ${client}`));
			const isTooMany = counts.some(({ allowed }) => !allowed) || slowed >= limits.slowedFailuresMax;
			if (isTooMany) return secondsOf(Math.max(...counts.map(({ resetMs }) => resetMs)));
			slowed++;
			await new Promise((resolve) => setTimeout(resolve, delayOf(Math.max(...counts.map(({ counted }) => counted)))));
			slowed--;
			return undefined;
		},
	};
}

// Redis is told keyed hashes: an address may be a person's, and what is told as a client's id anything.
async function countHashed({ requestCounts, hmac }: CountDeps, limit: RequestLimit, of: string): Promise<RequestCount> {
	const { mac } = await hmac.mac("api-key", undefined, of);
	return requestCounts.take(limit, mac);
}

/** Milliseconds that the n-th failure within a minute waits: the first few, somebody's mistakes, not at all. */
function delayOf(failures: number): number {
	return Math.min(Math.max(0, failures - limits.failuresFreeMax) * limits.failureStepMs, limits.failureDelayMsMax);
}

const tightness = ({ allowed, remaining }: RequestCount) => (allowed ? remaining : -1);
const secondsOf = (ms: number) => String(Math.max(1, Math.ceil(ms / 1000)));

// draft-ietf-httpapi-ratelimit-headers.
function tell(reply: FastifyReply, limit: RequestLimit, { remaining, resetMs }: RequestCount): void {
	reply
		.header("ratelimit-limit", String(limit.requests))
		.header("ratelimit-remaining", String(remaining))
		.header("ratelimit-reset", secondsOf(resetMs))
		.header("ratelimit-policy", `${limit.requests};w=${limit.seconds}`);
}

function refuse(reply: FastifyReply, resetMs: number): never {
	reply.header("retry-after", secondsOf(resetMs));
	throw new LetheError("rate_limited");
}
